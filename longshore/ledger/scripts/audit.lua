-- audit: where do these invocations stand, and where should they? Only reads, and sees them all at one moment.
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  place     the set in which they were seen (`leased`, `wait:<lane>`, `order:<hash>`, ...), "" for ids of
--          records
-- ARGV[3..] ids
--
-- Returns  {state, origin, problem, ...}    three values an id: state "" without a record, problem "" where all is well
local P = KEYS[1]
local call = redis.call
local place = ARGV[2]
local place_kind = string.match(place, '^[^:]*')
local NEVER = 9e15 -- as in transitions.lua

local function place_of(state, lane)
  if state == 'waiting' then return 'wait:' .. (lane or '') end
  if state == 'claimed' or state == 'begun' then return 'leased' end
  if state == 'dead' or state == 'unknown' then return state end
  if state == 'held' then return 'acks' end
  return ''
end

-- One that is due NEVER (transitions.lua) has a place in an order, and what is in `orders` is set right by order.lua.
local function problem_of_turn(id)
  local order = call('HGET', P .. 'inv:' .. id, 'order')
  local hash = order and string.match(order, '^%S+ (.+)$') or ''
  if not call('ZSCORE', P .. 'order:' .. hash, id) then return 'waits for its turn in no order' end
  if not call('ZSCORE', P .. 'orders', hash) then return 'waits for its turn in an order that nobody looks at' end
  return ''
end

local function problem_of(id, state, expected)
  if place_kind == 'order' then
    if not call('ZSCORE', P .. place, id) or call('ZSCORE', P .. 'orders', string.sub(place, 7)) then return '' end
    local order = state and call('HGET', P .. 'inv:' .. id, 'order') or ''
    local is_failed = state == 'dead' or state == 'unknown'
    local is_held = is_failed and string.sub(order, 1, 5) == 'hold '
    if expected == '' or is_failed and not is_held then
      return 'is ' .. (state or 'gone') .. ' but stands in ' .. place
    end
  elseif place ~= '' then
    local score = call('ZSCORE', P .. place, id)
    if not score then return '' end -- it has moved on since it was seen there
    if not state then return 'stands in ' .. place .. ' but has no record' end
    if expected ~= place then return 'is ' .. state .. ' but stands in ' .. place end
    if (tonumber(score) or 0) >= NEVER then return problem_of_turn(id) end
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
