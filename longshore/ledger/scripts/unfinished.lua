-- unfinished: which offsets are not finished yet, for commits that say so (the ledger does not last).
-- uses: allow_when_full, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  patience       in ms, how long the reports of what has ended are waited for
-- ARGV[3..] partitions    "topic/n"
--
-- Returns  {name of the ledger, or ""}, {offset, ...} per partition, in order
--
-- Finished is what has ended and has no unsent reports. After `patience` it counts as finished all the same: to deliver
-- it again would be worse than to lose a report.
local patience, FIRST_PARTITION = tonumber(ARGV[2]), 3
local ended = call('HGETALL', P .. 'ended')
for n = 1, #ended, 2 do
  local id, origin = ended[n], ended[n + 1]
  local state, ended_at = unpack(redis.pcall('HMGET', P .. 'inv:' .. id, 'state', 'ended'))
  local has_ended = not state or state == 'done' or state == 'dead' or state == 'unknown'
  local is_reported = call('EXISTS', P .. 'out:' .. id) == 0 or now - (tonumber(ended_at) or 0) > patience
  if has_ended and is_reported then call('ZREM', P .. 'open:' .. (string.match(origin, '^(.*)/%d+$') or ''), id) end
  if is_reported or not has_ended then call('HDEL', P .. 'ended', id) end
end
local answer = {{call('GET', P .. 'name') or ''}}
for n = FIRST_PARTITION, #ARGV do
  local offsets, flat = {}, call('ZRANGE', P .. 'open:' .. ARGV[n], 0, -1, 'WITHSCORES')
  for m = 2, #flat, 2 do offsets[#offsets + 1] = flat[m] end
  answer[#answer + 1] = offsets
end
return answer
