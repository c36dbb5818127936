-- order: of the invocations of one key only the one that was accepted first may start. Used after transitions.lua.
--
-- The field `order` of a record, where its mapping asks for one: "<go_on | hold> <hash of target and key>". The sorted
-- set `order:<hash>` has those that have not ended, first accepted first; and with `hold` the dead letter or unknown
-- outcome that the others wait behind. All of them stand where they would without an order; but what is not the first
-- is due NEVER in its lane, until those before it have ended (leave_order). A retry keeps its place; what comes back
-- after it has left its order gets the last one.
--
-- `orders` says when to look at each order: for the end of a first one that nobody noticed, because a program of an
-- earlier version or `discard` ended it.
local CHECK_MS, MAX_CHECKS = 10000, 20

local function hash_of(order)
  return string.match(order, '^%S+ (.+)$')
end

local function order_key(order)
  return P .. 'order:' .. hash_of(order)
end

-- Whether the others wait behind it where it is a dead letter or its outcome is unknown.
local function holds(order)
  return string.sub(order, 1, 5) == 'hold '
end

-- The last place in its order, unless it has one. Returns whether it is the first.
local function take_place(id, order)
  local key = order_key(order)
  local last = call('ZRANGE', key, -1, -1, 'WITHSCORES')
  call('ZADD', key, 'NX', whole((last[2] or 0) + 1), id)
  if not ordered then
    ordered = '1'
    call('HSET', P .. 'clock', 'ordered', ordered)
  end
  call('ZADD', P .. 'orders', 'NX', whole(now + CHECK_MS), hash_of(order))
  return not last[1] or call('ZRANK', key, id) == 0
end

-- `queue` for one that may have an order: due NEVER if it is not the first.
local function queue_in_order(id, order, lane, target, due, retry)
  if order and not take_place(id, order) then
    queue(id, lane, target, NEVER)
  else
    queue(id, lane, target, due, retry)
  end
end

-- Lets the first of an order start, as if it had waited in its lane since it was accepted. Those before it that have
-- ended leave, and an order without any is forgotten.
local function advance(hash)
  local key = P .. 'order:' .. hash
  local id = call('ZRANGE', key, 0, 0)[1]
  while id do
    local state, lane, target, accepted, order = unpack(call('HMGET', P .. 'inv:' .. id,
      'state', 'lane', 'target', 'accepted', 'order'))
    local is_failed = state == 'dead' or state == 'unknown'
    if state and state ~= 'done' and not (is_failed and not holds(order)) then
      local score = state == 'waiting' and call('ZSCORE', P .. 'wait:' .. lane, id)
      if score and tonumber(score) >= NEVER then queue(id, lane, target, tonumber(accepted)) end
      return
    end
    call('ZREM', key, id)
    id = call('ZRANGE', key, 0, 0)[1]
  end
  call('ZREM', P .. 'orders', hash)
end

-- One that has ended in the state `to` (nil: it is forgotten) leaves its order, if it has one, and the next may start.
-- Not where the others are held behind it; an operator, or the end of its retention, lets them go on.
local function leave_order(id, order, to)
  if not order or to == 'waiting' or (to == 'dead' or to == 'unknown') and holds(order) then return end
  -- What a broken key keeps from going on is found by check_orders; the end itself is stored.
  pcall(function()
    call('ZREM', order_key(order), id)
    advance(hash_of(order))
  end)
end

-- Looks at some orders whose time has come, so that nothing waits behind what has ended.
local function check_orders()
  if not ordered then return end
  for _, hash in ipairs(call('ZRANGEBYSCORE', P .. 'orders', '-inf', NOW, 'LIMIT', 0, MAX_CHECKS)) do
    call('ZADD', P .. 'orders', whole(now + CHECK_MS), hash)
    pcall(advance, hash)
  end
end
