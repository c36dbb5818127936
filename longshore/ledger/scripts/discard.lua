-- discard: an invocation that has failed is dropped for good. Used by purge and prune.
local P = KEYS[1]
local call = redis.call

-- `order`: the field of its record, where it has one. The next in it starts with the next pump (check_orders).
local function discard(id, state, order)
  call('ZREM', P .. state, id)
  call('DEL', P .. 'inv:' .. id, P .. 'pay:' .. id, P .. 'att:' .. id)
  if order then
    local hash = string.match(order, '^%S+ (.+)$')
    call('ZREM', P .. 'order:' .. hash, id)
    call('ZADD', P .. 'orders', 0, hash)
  end
end
