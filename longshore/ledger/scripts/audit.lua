-- audit: where do these invocations stand, and where should they? Only reads, and sees them all at one moment.
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  place     the set in which they were seen (`leased`, `wait:<lane>`, ...), or "" for ids of records
-- ARGV[3..] ids
--
-- Returns  {state, origin, problem, ...}    three values an id: state "" without a record, problem "" where all is well
local P = KEYS[1]
local call = redis.call
local place = ARGV[2]

local function place_of(state, lane)
  if state == 'waiting' then return 'wait:' .. (lane or '') end
  if state == 'claimed' or state == 'begun' then return 'leased' end
  if state == 'dead' or state == 'unknown' then return state end
  if state == 'held' then return 'acks' end
  return ''
end

local function problem_of(id, state, expected)
  if place ~= '' then
    if not call('ZSCORE', P .. place, id) then return '' end -- it has moved on since it was seen there
    if not state then return 'stands in ' .. place .. ' but has no record' end
    if expected ~= place then return 'is ' .. state .. ' but stands in ' .. place end
  elseif state and expected ~= '' and not call('ZSCORE', P .. expected, id) then
    return 'is ' .. state .. ' but does not stand in ' .. expected
  end
  return ''
end

local rows = {}
for n = 3, #ARGV do
  local id = ARGV[n]
  local state, lane, origin = unpack(call('HMGET', P .. 'inv:' .. id, 'state', 'lane', 'origin'))
  rows[#rows + 1] = state or ''
  rows[#rows + 1] = origin or ''
  rows[#rows + 1] = problem_of(id, state, place_of(state, lane))
end
return rows
