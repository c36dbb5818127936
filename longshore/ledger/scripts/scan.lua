-- scan: ended invocations that fit, newest first, a bounded step at a time. Only reads.
-- uses: allow_when_full
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  state     dead | unknown
-- ARGV[3]  since     earliest end (ms), or -inf
-- ARGV[4]  from      latest end (ms), or +inf
-- ARGV[5]  after     go on behind this id, where the step before ended; "" begins with `from`
-- ARGV[6]  look      most records looked at: bounds how long this holds Redis (1000 take 5 to 10 ms)
-- ARGV[7]  want      stop after so many that fit; 0 only counts
-- ARGV[8]  filter    JSON object: field of the record -> the value it must have; `action` is what follows the lane's target
-- ARGV[9..] fields   of the records to return
--
-- Returns  {id, score, ...}       those that fit, at most `want`
--          {reason, count, ...}   how many fit of those looked at
--          {score, id}            the last one looked at; empty once there are no more
--          records                JSON: a list of those that fit, each the list of its `fields`, false for what is not there
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

-- Only what is asked for is read: of a hundred thousand records that is most of the time.
local read, wanted = {'state', 'reason'}, {}
for field, value in pairs(filter) do
  if field == 'action' then
    read[#read + 1] = 'lane'
    read[#read + 1] = 'target'
    wanted[#read - 1] = value
  else
    read[#read + 1] = field
    wanted[#read] = value
  end
end

local function fits(r)
  if not r[1] then return false end
  for n, value in pairs(wanted) do
    local has = r[n] or ''
    if has ~= value and not (read[n] == 'lane' and string.sub(has, #(r[n + 1] or '') + 2) == value) then return false end
  end
  return true
end

local earliest = since ~= '-inf' and tonumber(since)
local found, counts, last, records = {}, {}, {}, {}
local ended = #listed < 2 * look
for n = 1, #listed, 2 do
  local id, score = listed[n], listed[n + 1]
  if earliest and tonumber(score) < earliest then
    ended = true
    break
  end
  last = {score, id}
  local r = call('HMGET', P .. 'inv:' .. id, unpack(read))
  if fits(r) then
    local reason = r[2] or ''
    counts[reason] = (counts[reason] or 0) + 1
    if want > 0 then
      found[#found + 1] = id
      found[#found + 1] = score
      if ARGV[9] then records[#records + 1] = call('HMGET', P .. 'inv:' .. id, unpack(ARGV, 9)) end
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
return {found, counted, ended and {} or last, #records > 0 and cjson.encode(records) or '[]'}
