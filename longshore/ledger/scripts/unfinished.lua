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
-- Finished is what has ended and of which Port has heard everything. Should that take longer, it counts as finished all
-- the same: to run it again would be worse than a run that stays open.
local patience = tonumber(ARGV[2])
local ended = call('HGETALL', P .. 'ended')
for n = 1, #ended, 2 do
  local id, origin = ended[n], ended[n + 1]
  local state, ended_at = unpack(call('HMGET', P .. 'inv:' .. id, 'state', 'ended'))
  local over = not state or state == 'done' or state == 'dead' or state == 'unknown'
  local told = call('EXISTS', P .. 'out:' .. id) == 0 or now - (tonumber(ended_at) or 0) > patience
  if over and told then call('ZREM', P .. 'open:' .. string.match(origin, '^(.*)/%d+$'), id) end
  if told or not over then call('HDEL', P .. 'ended', id) end
end
local found = {{call('GET', P .. 'name') or ''}}
for n = 3, #ARGV do
  local offsets, flat = {}, call('ZRANGE', P .. 'open:' .. ARGV[n], 0, -1, 'WITHSCORES')
  for m = 2, #flat, 2 do offsets[#offsets + 1] = flat[m] end
  found[#found + 1] = offsets
end
return found
