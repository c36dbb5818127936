-- round_robin: the fleet, and whose turn it is. Used after clock.lua, transitions.lua and limits_and_breaker.lua.

local function among(reads, format)
  return string.find(reads, ',' .. format .. ',', 1, true)
end

-- The fleet's slots; a list ",1,2," of the formats that some worker reads; and the highest that all read, 0 without
-- any.
local function count_fleet()
  for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'fleet', '-inf', '(' .. whole(lease_now))) do
    call('ZREM', P .. 'fleet', worker)
    call('HDEL', P .. 'slots', worker)
    call('HDEL', P .. 'formats', worker)
  end
  local total, reads, lowest = 0, ',', 0
  local slots = call('HGETALL', P .. 'slots')
  for n = 1, #slots, 2 do
    total = total + (tonumber(slots[n + 1]) or 0)
    -- One that announces nothing is of the version that knew a single format.
    local first, last = string.match(call('HGET', P .. 'formats', slots[n]) or '', '^(%d+)-(%d+)$')
    first, last = tonumber(first) or 1, tonumber(last) or 1
    for format = first, last do
      if not among(reads, format) then reads = reads .. format .. ',' end
    end
    if lowest == 0 or last < lowest then lowest = last end
  end
  local first = call('ZRANGE', P .. 'fleet', 0, 0, 'WITHSCORES')
  call('HSET', P .. 'clock', 'slots', whole(total), 'slots_until', first[2] or whole(lease_now), 'reads', reads,
    'writes', whole(lowest))
  return total, reads, lowest
end

local function fleet()
  local slots, slots_until, reads, writes = unpack(call('HMGET', P .. 'clock',
    'slots', 'slots_until', 'reads', 'writes'))
  local total, till, lowest = tonumber(slots), tonumber(slots_until), tonumber(writes)
  local is_list = reads and string.find(reads, '^,[%d,]*$')
  if not (total and till and lowest and is_list) or lease_now > till then return count_fleet() end
  return total, reads, lowest
end

-- How many targets, or lanes of one, are read at once, at least and at most.
local MIN_READY, MAX_READY = 10, 100

-- The last of `count` new turns, which come after all others. Where somebody else has written over the number they go
-- on from a tenth of the time: a thousand turns a second take years to come so far, and it is far below TURNS.
local function new_turns(count)
  local turn = redis.pcall('INCRBY', P .. 'turn', count)
  if type(turn) == 'number' and turn >= count and turn < TURNS then return turn end
  turn = math.floor(now / 10) + count
  call('SET', P .. 'turn', whole(turn))
  return turn
end

-- Gives turns to `members`, in their order.
local function give_turns(key, members)
  if #members == 0 then return end
  local turn, scored = new_turns(#members) - #members, {}
  for n, member in ipairs(members) do
    scored[2 * n - 1], scored[2 * n] = turn + n, member
  end
  call('ZADD', key, unpack(scored))
end

-- Whose turn it is, in order, enough for `want`; and whether there may be more. Those whose time has come get a turn.
local function ready(key, want)
  local limit = math.min(math.max(want, MIN_READY), MAX_READY)
  local members = call('ZRANGEBYSCORE', key, '-inf', NOW, 'WITHSCORES', 'LIMIT', 0, limit)
  if #members == 2 * limit or #members > 0 and tonumber(members[#members]) >= TURNS then
    give_turns(key, call('ZRANGEBYSCORE', key, whole(TURNS), NOW, 'LIMIT', 0, MAX_READY))
    members = call('ZRANGEBYSCORE', key, '-inf', '(' .. whole(TURNS), 'WITHSCORES', 'LIMIT', 0, limit)
  end
  local names = {}
  for n = 1, #members, 2 do names[#names + 1] = members[n] end
  return names, #names == limit
end

