-- claim: who may start now? Used by accept, pump and finish after common.lua.
--
-- Targets are visited in the order of their turns; at each visit every ready lane of the target starts one invocation.
-- What is full or limited is taken off the round and costs nothing until a lease ends (release) or its time comes.

local function count_slots()
  for _, gone in ipairs(call('ZRANGEBYSCORE', P .. 'fleet', '-inf', '(' .. whole(lease_now))) do
    call('ZREM', P .. 'fleet', gone)
    call('HDEL', P .. 'slots', gone)
  end
  local total = 0
  for _, slots in ipairs(call('HVALS', P .. 'slots')) do total = total + slots end
  local first = call('ZRANGE', P .. 'fleet', 0, 0, 'WITHSCORES')
  call('HSET', P .. 'clock', 'slots', whole(total), 'slots_until', first[2] or whole(lease_now))
  return total
end

local function slots()
  local c = call('HMGET', P .. 'clock', 'slots', 'slots_until')
  if not c[1] or lease_now > tonumber(c[2]) then return count_slots() end
  return tonumber(c[1])
end

-- Gives a turn to all whose time has come.
local function promote(key, time)
  for _, member in ipairs(call('ZRANGEBYSCORE', key, whole(TURNS), whole(time), 'LIMIT', 0, 100)) do
    call('ZADD', key, turn(), member)
  end
end

local function lease(id, lane, target, start, claims)
  local record = P .. 'inv:' .. id
  call('ZREM', P .. 'wait:' .. lane, id)
  local r = call('HMGET', record, 'state', 'attempts', 'generation', 'token')
  if r[1] ~= 'waiting' then return false end
  local token = (tonumber(r[4]) or 0) + 1
  move(id, 'waiting', 'claimed', 'token', whole(token))
  call('ZADD', P .. 'leased', whole(lease_now + limits.lease + start - now), id)
  call('HINCRBY', P .. 'busy:target', target, 1)
  call('HINCRBY', P .. 'busy:lane', counted_as(lane, target), 1)
  for _, value in ipairs({id, token, whole(start), target, r[2] or '0', r[3] or '1'}) do
    claims[#claims + 1] = value
  end
  return true
end

-- Whether no more of a lane may be in flight. Suspects: as many at once as there are worker processes.
local function full(lane, target)
  local counted = counted_as(lane, target)
  local most = counted == SUSPECTS and math.max(1, call('ZCARD', P .. 'fleet')) or limits.lane
  return (tonumber(call('HGET', P .. 'busy:lane', counted)) or 0) >= most
end

-- One visit of a target: at most `want` invocations start. Returns how many did.
local function visit(target, want, claims)
  local lanes, horizon = P .. 'lanes:' .. target, now + limits.ahead
  local room = limits.target - (tonumber(call('HGET', P .. 'busy:target', target)) or 0)
  if room <= 0 then
    call('ZREM', P .. 'targets', target)
    return 0
  end
  local start = now
  if limits.rate > 0 then start = math.max(now, tonumber(call('HGET', P .. 'starts', target)) or 0) end
  promote(lanes, now)
  local started = 0
  for _, lane in ipairs(call('ZRANGEBYSCORE', lanes, '-inf', '(' .. whole(TURNS), 'LIMIT', 0, math.min(want, room, 100))) do
    if start > horizon then break end
    local wait = P .. 'wait:' .. lane
    local head = call('ZRANGE', wait, 0, 0, 'WITHSCORES')
    if not head[1] then
      call('ZREM', lanes, lane)
    elseif tonumber(head[2]) > now then
      call('ZADD', lanes, head[2], lane)
    elseif full(lane, target) then
      -- A lane's own release brings it back; that of another target's suspect does not.
      if counted_as(lane, target) == SUSPECTS then
        call('ZADD', lanes, whole(now + 1000), lane)
      else
        call('ZREM', lanes, lane)
      end
    else
      if lease(head[1], lane, target, math.floor(start), claims) then
        started = started + 1
        if limits.rate > 0 then start = start + 1000 / limits.rate end
      end
      call('ZADD', lanes, turn(), lane)
    end
  end
  if limits.rate > 0 and started > 0 then call('HSET', P .. 'starts', target, string.format('%.3f', start)) end
  local next = call('ZRANGE', lanes, 0, 0, 'WITHSCORES')
  if not next[1] then
    call('ZREM', P .. 'targets', target)
  elseif start > horizon then
    call('ZADD', P .. 'targets', whole(start - limits.ahead), target)
  elseif tonumber(next[2]) < TURNS then
    call('ZADD', P .. 'targets', turn(), target)
  else
    call('ZADD', P .. 'targets', next[2], target)
  end
  return started
end

-- Returns a flat list, six values a claim: id, token, start (ms), target, attempts so far, generation.
local function claim(want)
  local claims = {}
  want = math.min(want, slots() - call('ZCARD', P .. 'leased'))
  if want <= 0 then return claims end
  promote(P .. 'targets', now)
  while want > 0 do
    local target = call('ZRANGEBYSCORE', P .. 'targets', '-inf', '(' .. whole(TURNS), 'LIMIT', 0, 1)[1]
    if not target then break end
    want = want - visit(target, want, claims)
  end
  return claims
end
