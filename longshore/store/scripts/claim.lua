-- claim: who may start now? Used by accept, pump and finish after common.lua and gates.lua.
--
-- Targets are visited in the order of their turns; at each visit every ready lane of the target starts one invocation.
-- What is full, limited, paused or broken is taken off the round and costs nothing until a lease ends (release), its
-- time comes, or an operator resumes it (wake).

-- What is due again after so long (ms) because nobody reads it now; and how many such one call looks at, at most.
local UNREADABLE_PAUSE, MOST_UNREADABLE = 10000, 200
local unreadable = 0

local function among(reads, format)
  return string.find(reads, ',' .. format .. ',', 1, true)
end

-- The fleet's slots; a list ",1,2," of the formats that some worker reads; and the highest that all read, 0 without any.
local function count_fleet()
  for _, gone in ipairs(call('ZRANGEBYSCORE', P .. 'fleet', '-inf', '(' .. whole(lease_now))) do
    call('ZREM', P .. 'fleet', gone)
    call('HDEL', P .. 'slots', gone)
    call('HDEL', P .. 'formats', gone)
  end
  local total, reads, lowest = 0, ',', 0
  local slots = call('HGETALL', P .. 'slots')
  for n = 1, #slots, 2 do
    total = total + slots[n + 1]
    -- One that announces nothing is of the version that knew a single format.
    local first, last = string.match(call('HGET', P .. 'formats', slots[n]) or '1-1', '^(%d+)-(%d+)$')
    for format = tonumber(first), tonumber(last) do
      if not among(reads, format) then reads = reads .. format .. ',' end
    end
    if lowest == 0 or tonumber(last) < lowest then lowest = tonumber(last) end
  end
  local first = call('ZRANGE', P .. 'fleet', 0, 0, 'WITHSCORES')
  call('HSET', P .. 'clock', 'slots', whole(total), 'slots_until', first[2] or whole(lease_now), 'reads', reads,
    'writes', whole(lowest))
  return total, reads, lowest
end

local function fleet()
  local c = call('HMGET', P .. 'clock', 'slots', 'slots_until', 'reads', 'writes')
  if not c[1] or not c[3] or lease_now > tonumber(c[2]) then return count_fleet() end
  return tonumber(c[1]), c[3], tonumber(c[4])
end

-- A rate of almost nothing must not lead to a time that is no number of ms any more.
local LONGEST_STEP = 1e9

-- Gives a turn to all whose time has come.
local function promote(key, time)
  for _, member in ipairs(call('ZRANGEBYSCORE', key, whole(TURNS), whole(time), 'LIMIT', 0, 100)) do
    call('ZADD', key, turn(), member)
  end
end

local function lease(id, score, lane, target, start, reads, claims)
  local r = call('HMGET', P .. 'inv:' .. id, 'state', 'attempts', 'generation', 'token', 'format')
  local format = r[5] or '1'
  if r[1] == 'waiting' and not among(reads, format) then
    -- Nobody who is there could read it. It makes room for those behind it, and is looked at again.
    unreadable = unreadable + 1
    call('ZADD', P .. 'unreadable', whole(now), id)
    call('ZREMRANGEBYSCORE', P .. 'unreadable', '-inf', whole(now - 6 * UNREADABLE_PAUSE))
    call('PEXPIRE', P .. 'unreadable', 6 * UNREADABLE_PAUSE)
    queue(id, lane, target, now + UNREADABLE_PAUSE, is_late(score))
    return false
  end
  call('ZREM', P .. 'wait:' .. lane, id)
  if r[1] ~= 'waiting' then return false end
  local token = (tonumber(r[4]) or 0) + 1
  move(id, 'waiting', 'claimed', 'token', whole(token))
  call('ZADD', P .. 'leased', whole(lease_now + limits.lease + start - now), id)
  call('HINCRBY', P .. 'busy:target', target, 1)
  call('HINCRBY', P .. 'busy:lane', counted_as(lane, target), 1)
  for _, value in ipairs({id, token, whole(start), target, r[2] or '0', r[3] or '1', format}) do
    claims[#claims + 1] = value
  end
  return true
end

-- How many more of a lane may start, and as room_of. Suspects: as many at once as there are worker processes.
local function room_in(lane, target)
  local counted = counted_as(lane, target)
  local busy = tonumber(call('HGET', P .. 'busy:lane', counted)) or 0
  if counted == SUSPECTS then
    -- A lane's own release brings it back; that of another target's suspect does not.
    return math.max(1, call('ZCARD', P .. 'fleet')) - busy, now + 1000
  end
  local g = call('HMGET', GATES, 'o:' .. lane, 'b:' .. lane)
  return room_of(busy, limits.lane, decoded(g[1]), {}, breaker_of(g[2]))
end

-- Takes a full lane or target off the round, or has it looked at again at `time`.
local function set_aside(key, member, time)
  if time then call('ZADD', key, whole(time), member) else call('ZREM', key, member) end
end

-- A lane, or all lanes of a target, must wait for something else than its turn: foretell looks at it, see there.
local function must_wait(member)
  if limits.forecast > 0 then call('ZADD', P .. 'forecast', 'NX', whole(now + limits.forecast), member) end
end

-- Which of a lane goes first. A probe is rather a retry: it has failed before, so its failure costs nobody a first try.
local function first_of(wait, probe)
  if probe then
    for _, id in ipairs(call('ZRANGEBYSCORE', wait, '-inf', whole(now + limits.late), 'LIMIT', 0, 20)) do
      local score = call('ZSCORE', wait, id)
      if is_late(score) and due_of(score) <= now then return id, score end
    end
  end
  local head = call('ZRANGE', wait, 0, 0, 'WITHSCORES')
  return head[1], head[2]
end

-- One visit of a target: at most `want` invocations start. Returns how many did.
local function visit(target, want, reads, claims)
  local lanes, horizon = P .. 'lanes:' .. target, now + limits.ahead
  local g = call('HMGET', GATES, 'o:' .. target, 'm:' .. target, 'b:' .. target)
  local operator, mapping, b = decoded(g[1]), decoded(g[2]), breaker_of(g[3])
  local busy = tonumber(call('HGET', P .. 'busy:target', target)) or 0
  local room, again, probing = room_of(busy, limits.target, operator, mapping, b)
  if room <= 0 then
    set_aside(P .. 'targets', target, again)
    must_wait(target)
    return 0
  end
  local rate = operator.rate or mapping.rate or limits.rate
  local start, step = now, rate > 0 and math.min(1000 / rate, LONGEST_STEP) or 0
  if rate > 0 then
    -- None lies further ahead than a step beyond the horizon, unless the clock went back.
    start = math.max(now, math.min(tonumber(call('HGET', P .. 'starts', target)) or 0, horizon + step))
  end
  promote(lanes, now)
  local started = 0
  for _, lane in ipairs(call('ZRANGEBYSCORE', lanes, '-inf', '(' .. whole(TURNS), 'LIMIT', 0, math.min(want, room, 100))) do
    if start > horizon then break end
    local lane_room, lane_again, lane_probing = room_in(lane, target)
    local id, score = first_of(P .. 'wait:' .. lane, probing or lane_probing)
    if not id then
      call('ZREM', lanes, lane)
    elseif due_of(score) > now then
      call('ZADD', lanes, whole(due_of(score)), lane)
    elseif lane_room <= 0 then
      set_aside(lanes, lane, lane_again)
      must_wait(lane)
    else
      if lease(id, score, lane, target, math.floor(start), reads, claims) then
        started = started + 1
        start = start + step
        if probing then sent_as_probe(target, id) end
        if lane_probing then sent_as_probe(lane, id) end
      end
      call('ZADD', lanes, turn(), lane)
    end
  end
  if rate > 0 and started > 0 then call('HSET', P .. 'starts', target, string.format('%.3f', start)) end
  local next = call('ZRANGE', lanes, 0, 0, 'WITHSCORES')
  if not next[1] then
    call('ZREM', P .. 'targets', target)
  elseif start > horizon then
    call('ZADD', P .. 'targets', whole(start - limits.ahead), target)
    must_wait(target)
  elseif tonumber(next[2]) < TURNS then
    call('ZADD', P .. 'targets', turn(), target)
  else
    call('ZADD', P .. 'targets', next[2], target)
  end
  return started
end

-- Returns a flat list, seven values a claim: id, token, start (ms), target, attempts so far, generation, format.
local function claim(want)
  local claims = {}
  local slots, reads = fleet()
  want = math.min(want, slots - call('ZCARD', P .. 'leased'))
  if want <= 0 then return claims end
  promote(P .. 'targets', now)
  while want > 0 and unreadable < MOST_UNREADABLE do
    local target = call('ZRANGEBYSCORE', P .. 'targets', '-inf', '(' .. whole(TURNS), 'LIMIT', 0, 1)[1]
    if not target then break end
    want = want - visit(target, want, reads, claims)
  end
  return claims
end
