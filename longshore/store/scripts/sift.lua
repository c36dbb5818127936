-- sift: ended invocations that fit, newest first, a bounded step at a time. Only reads.
-- uses: room
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  state     dead | unknown
-- ARGV[3]  since     earliest end (ms), or -inf
-- ARGV[4]  from      latest end (ms), or +inf
-- ARGV[5]  after     go on behind this id, where the step before ended; "" begins with `from`
-- ARGV[6]  look      most records looked at: bounds how long this holds Redis (2000 take about 5 ms)
-- ARGV[7]  want      stop after so many that fit; 0 only counts
-- ARGV[8]  filter    JSON object: field of the record -> the value it must have; `action` is what follows the lane's target
--
-- Returns  {id, score, ...}       those that fit, at most `want`
--          {reason, count, ...}   how many fit of those looked at
--          {score, id}            the last one looked at; empty once there are no more
--
-- Behind an id that has left meanwhile it goes on at the same ms: some may come again, none is left out.
local P = KEYS[1]
local call = redis.call
local key, since, look, want = P .. ARGV[2], ARGV[3], tonumber(ARGV[6]), tonumber(ARGV[7])
local filter = cjson.decode(ARGV[8])

local rank = ARGV[5] ~= '' and call('ZREVRANK', key, ARGV[5])
local listed
if rank then
  listed = call('ZREVRANGE', key, rank + 1, rank + look, 'WITHSCORES')
else
  listed = call('ZREVRANGEBYSCORE', key, ARGV[4], since, 'WITHSCORES', 'LIMIT', 0, look)
end

local function fits(r)
  local target, lane = r[3] or '', r[4] or ''
  local has = {reason = r[2], target = target, kind = r[5], run = r[6], action = string.sub(lane, #target + 2)}
  if not r[1] then return false end
  for field, value in pairs(filter) do
    if has[field] ~= value and not (field == 'action' and lane == value) then return false end
  end
  return true
end

local earliest = since ~= '-inf' and tonumber(since)
local found, counts, last = {}, {}, {}
local ended = #listed < 2 * look
for n = 1, #listed, 2 do
  local id, score = listed[n], listed[n + 1]
  if earliest and tonumber(score) < earliest then
    ended = true
    break
  end
  last = {score, id}
  local r = call('HMGET', P .. 'inv:' .. id, 'state', 'reason', 'target', 'lane', 'kind', 'run')
  if fits(r) then
    local reason = r[2] or ''
    counts[reason] = (counts[reason] or 0) + 1
    if want > 0 then
      found[#found + 1] = id
      found[#found + 1] = score
      if #found == 2 * want then
        ended = ended and n + 1 == #listed
        break
      end
    end
  end
end

local counted = {}
for reason, count in pairs(counts) do
  counted[#counted + 1] = reason
  counted[#counted + 1] = count
end
return {found, counted, ended and {} or last}
