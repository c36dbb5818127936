-- scan: failed invocations that match a filter, newest first, one bounded page at a time. Only reads.
-- uses: allow_when_full
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  state      dead | unknown
-- ARGV[3]  since      earliest end (ms), or -inf
-- ARGV[4]  start      latest end (ms), or +inf
-- ARGV[5]  after      go on behind this id, where the page before ended; "" starts with `start`
-- ARGV[6]  max_looks  records to look at, at most: bounds how long this holds Redis (1000 take 5 to 10 ms)
-- ARGV[7]  size       stop after so many matches; 0 only counts
-- ARGV[8]  filter     JSON object: field of the record -> the value it must have; `action` is what follows the lane's
--                     target
-- ARGV[9..] fields    of the records to return
--
-- Returns  {id, score, ...}       the matches, at most `size`
--          {reason, count, ...}   how many match of those looked at
--          {score, id}            the last one looked at; empty at the end of the scan
--          records                JSON: a list of `fields` for each match, false for what a record does not have
--
-- If `after` has left the set meanwhile, it goes on at the same ms: some may come a second time, none is skipped.
local P = KEYS[1]
local call = redis.call
local state, since, start, after, max_looks, size, filter = unpack(ARGV, 2, 8)
local FIRST_FIELD = 9
local set = P .. state
max_looks, size, filter = tonumber(max_looks), tonumber(size), cjson.decode(filter)

local rank = after ~= '' and call('ZREVRANK', set, after)
local members
if rank then
  members = call('ZREVRANGE', set, rank + 1, rank + max_looks, 'WITHSCORES')
else
  members = call('ZREVRANGEBYSCORE', set, start, since, 'WITHSCORES', 'LIMIT', 0, max_looks)
end

-- Only fields that the filter names are read, besides state and reason: with a hundred thousand records, reading is
-- most of the time. `conditions`: position among `read_fields` -> the value there. An action needs the target behind
-- its lane.
local read_fields, conditions, lane_position = {'state', 'reason'}, {}, nil
for field, value in pairs(filter) do
  read_fields[#read_fields + 1] = field == 'action' and 'lane' or field
  conditions[#read_fields] = value
  if field == 'action' then
    lane_position = #read_fields
    read_fields[#read_fields + 1] = 'target'
  end
end

-- Whether the values of a record's `read_fields` match. A lane matches as a whole, or by its action alone.
local function matches(values)
  for position, expected in pairs(conditions) do
    local value = values[position] or ''
    if value ~= expected then
      if position ~= lane_position then return false end
      local target = values[lane_position + 1] or ''
      if string.sub(value, #target + 2) ~= expected then return false end
    end
  end
  return true
end

local earliest = since ~= '-inf' and tonumber(since)
local page, counts, last, records = {}, {}, {}, {}
local is_end = #members < 2 * max_looks
for n = 1, #members, 2 do
  local id, score = members[n], members[n + 1]
  if earliest and tonumber(score) < earliest then
    is_end = true
    break
  end
  last = {score, id}
  local values = call('HMGET', P .. 'inv:' .. id, unpack(read_fields))
  local record_state, reason = values[1], values[2] or ''
  if record_state and matches(values) then
    counts[reason] = (counts[reason] or 0) + 1
    if size > 0 then
      page[#page + 1] = id
      page[#page + 1] = score
      if ARGV[FIRST_FIELD] then
        records[#records + 1] = call('HMGET', P .. 'inv:' .. id, unpack(ARGV, FIRST_FIELD))
      end
      if #page == 2 * size then
        is_end = is_end and n + 1 == #members
        break
      end
    end
  end
end

local flat_counts = {}
for reason, count in pairs(counts) do
  flat_counts[#flat_counts + 1] = reason
  flat_counts[#flat_counts + 1] = count
end
return {page, flat_counts, is_end and {} or last, #records > 0 and cjson.encode(records) or '[]'}
