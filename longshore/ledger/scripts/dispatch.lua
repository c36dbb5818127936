-- dispatch: claims what may start, up to `max_claims`. The body of a function that claim.lua calls, with what `ready`
-- returns for the targets: names, and whether there may be more. Returns what claim does.
--
-- Targets are visited in the order of their turns; at each visit one invocation starts, of the lane whose turn it is:
-- so a target's share does not grow with the number of its lanes.
-- What is full, limited, paused or broken is taken off the round and costs nothing until a lease ends (visit_target),
-- its time comes, or an operator resumes it (wake).
--
-- One call reads a target, a lane and its head once, hands out from memory, and writes turns, counters and leases at
-- its end: what many invocations share costs one command, not one each.
local max_claims, names, partly = ...

-- After how long (ms) an invocation is due again whose format no worker reads; how many such one call looks at, at
-- most.
local UNREADABLE_PAUSE, MAX_UNREADABLE = 10000, 200
local unreadable = 0

-- How many ids of a lane are read at once, at most.
local MAX_HEADS = 50

-- What this call hands out: the values it returns; the leases, as ZADD takes them; how many.
local claims, leases, handed_out = {}, {}, 0

-- The longest time between two starts (ms): with a rate near 0 the next start stays a number that Redis can store.
local LONGEST_STEP = 1e9

-- Takes a full lane or target off the round, or has it looked at again at `time`.
local function set_aside(key, member, time)
  if time then call('ZADD', key, whole(time), member) else call('ZREM', key, member) end
end

-- A lane, or all lanes of a target, waits for something else than its turn: report_waits will look at it, see there.
local function must_wait(member)
  if limits.forecast > 0 then call('ZADD', P .. 'forecast', 'NX', whole(now + limits.forecast), member) end
end

-- A lane in the memory of this call. `heads`: ids and scores, from `at` on; `all`: nothing else waits in it;
-- `removals`: ids to take out of it. `room`, `again`, `probing`: what room_of returns.
local function lane_of(name, target)
  local lane = {name = name, counted = counted_as(name, target), wait = P .. 'wait:' .. name, started = 0,
    heads = {}, at = 1, removals = {}}
  if lane.counted ~= SUSPECTS then
    local control_text, breaker_text = unpack(controls_of('o:' .. name, 'b:' .. name), 1, 2)
    local busy = number_in(P .. 'busy:lane', name)
    lane.room, lane.again, lane.probing = room_of(busy, limits.lane, decode(control_text), {},
      breaker_of(breaker_text))
  end
  return lane
end

-- Suspects started by this call, whatever their target: as many at once as there are worker processes.
local suspects = 0

-- Sets how many more of a lane of suspects may start. Its own release brings it back; that of another target's does
-- not.
local function look_at_suspects(lane)
  local busy = number_in(P .. 'busy:lane', SUSPECTS)
  lane.room, lane.again = math.max(1, call('ZCARD', P .. 'fleet')) - busy - suspects, now + 1000
end

local function take_out(lane)
  if #lane.removals > 0 then call('ZREM', lane.wait, unpack(lane.removals)) end
  lane.removals = {}
end

-- Who goes first in a lane, and its score; nil for nobody. `many`: how many may be asked for.
local function head_of(lane, many)
  if lane.at > #lane.heads then
    if lane.all then return nil end
    take_out(lane)
    many = math.min(many + 1, MAX_HEADS)
    lane.heads, lane.at = call('ZRANGE', lane.wait, 0, many - 1, 'WITHSCORES'), 1
    lane.all = #lane.heads < 2 * many
  end
  return lane.heads[lane.at], lane.heads[lane.at + 1]
end

-- A probe is rather a retry: it has failed before, so its failure costs nobody a first try.
local function probe_of(lane)
  for _, id in ipairs(call('ZRANGEBYSCORE', lane.wait, '-inf', whole(now + limits.late), 'LIMIT', 0, 20)) do
    local score = call('ZSCORE', lane.wait, id)
    if is_late(score) and due_of(score) <= now then return id, score end
  end
end

-- Whether one of `lane` may start; if not, it is taken off the round. `many`: how many may be asked for.
local function is_ready(lane, target, many)
  if lane.counted == SUSPECTS then look_at_suspects(lane) end
  local id, score = head_of(lane, many)
  if id and due_of(score) <= now and lane.room > 0 then return true end
  take_out(lane)
  if not id then
    call('ZREM', target.lanes, lane.name)
  elseif due_of(score) > now then
    call('ZADD', target.lanes, whole(due_of(score)), lane.name)
  else
    set_aside(target.lanes, lane.name, lane.again)
    must_wait(lane.name)
  end
  return false
end

-- The next of a ready lane becomes somebody's. Returns its id, or nil if it could not be handed out.
local function lease(lane, target, reads)
  local id, score = head_of(lane, 1)
  if target.probing or lane.probing then
    take_out(lane)
    local retry, retry_score = probe_of(lane)
    if retry then
      id, score = retry, retry_score
      lane.heads, lane.at, lane.all = {}, 1, false  -- it may stand among them
    end
  end
  if lane.heads[lane.at] == id then lane.at = lane.at + 2 end
  -- What is no record (any more) leaves its lane below.
  local state, attempts, generation, last_token, format = unpack(redis.pcall('HMGET', P .. 'inv:' .. id,
    'state', 'attempts', 'generation', 'token', 'format'))
  format = format or '1'
  if state == 'waiting' and not among(reads, format) then
    -- No worker that is there reads it. It goes behind the others, and is looked at again.
    unreadable = unreadable + 1
    call('ZADD', P .. 'unreadable', NOW, id)
    call('ZREMRANGEBYSCORE', P .. 'unreadable', '-inf', whole(now - 6 * UNREADABLE_PAUSE))
    call('PEXPIRE', P .. 'unreadable', 6 * UNREADABLE_PAUSE)
    enqueue(id, lane.name, now + UNREADABLE_PAUSE, is_late(score))
    lane.all = false
    return nil
  end
  lane.removals[#lane.removals + 1] = id
  if state ~= 'waiting' then return nil end
  local start, token = math.floor(target.start), (tonumber(last_token) or 0) + 1
  set_state(id, 'waiting', 'claimed', 'token', whole(token))
  handed_out = handed_out + 1
  leases[2 * handed_out - 1], leases[2 * handed_out] = whole(lease_now + limits.lease + start - now), id
  -- In the order of CLAIM_VALUES in longshore/ledger/record.py.
  for _, value in ipairs({id, token, whole(start), target.name, attempts or '0', generation or '1', format}) do
    claims[#claims + 1] = value
  end
  return id
end

-- A target in the memory of this call. `start`: when the next may start; `queue`: its ready lanes in the order of their
-- turns, nil if they have to be read; `partly`: there are more of them.
local function target_of(name)
  local target = {name = name, lanes = P .. 'lanes:' .. name, lanes_by_name = {}, started = 0, start = now, step = 0}
  local operator_text, mapping_text, breaker_text = unpack(controls_of('o:' .. name, 'm:' .. name, 'b:' .. name), 1, 3)
  local operator, mapping, breaker = decode(operator_text), decode(mapping_text), breaker_of(breaker_text)
  if mapping_text then touch(name) end
  local busy = number_in(P .. 'busy:target', name)
  target.room, target.again, target.probing = room_of(busy, limits.target, operator, mapping, breaker)
  local rate = operator.rate or mapping.rate or limits.rate
  if rate > 0 then
    target.step = math.min(1000 / rate, LONGEST_STEP)
    -- No start lies further ahead than a step beyond the horizon: one that does was computed with another rate, or
    -- before the clock went back.
    local next = tonumber(call('HGET', P .. 'starts', name)) or 0
    target.start = next > now + limits.ahead + target.step and now or math.max(now, next)
  end
  return target
end

local function start_one(lane, target, reads)
  local id = lease(lane, target, reads)
  if not id then return 0 end
  if target.probing then mark_probe(target.name, id) end
  if lane.probing then mark_probe(lane.name, id) end
  if lane.counted == SUSPECTS then suspects = suspects + 1 end
  lane.started, lane.room = lane.started + 1, lane.room - 1
  target.started, target.room, target.start = target.started + 1, target.room - 1, target.start + target.step
  return 1
end

-- One visit of a target: the first lane that is ready starts one. Returns how many did (0 or 1). `want`: how many more
-- may follow, which only says how much is worth reading at once.
--
-- `target.queue` is the order of turns of its lanes while this call lasts, and three things hold after each visit:
--   1. Each lane that was ready before stands in the queue, or has left the round (is_ready has scored it with its
--      time, or taken it off). None is in it twice.
--   2. The lane that started one goes behind the others (`served`), if it may start more: it has had its turn.
--   3. A lane that was skipped because the target is full, or its next start too far ahead, keeps its place
--      (`skipped`).
-- Turns in Redis are written at the end (close_target). A queue that holds only a part of the lanes (`partly`) cannot
-- say who is last, so then the served lane gets its new turn at once, and is read again with the others.
local function visit(target, want, reads)
  local horizon, started = now + limits.ahead, 0
  if not (target.queue and target.queue[1]) then target.queue, target.partly = ready(target.lanes, want) end
  local served, skipped = {}, {}
  for _, name in ipairs(target.queue) do
    if started > 0 or target.room <= 0 or target.start > horizon then
      skipped[#skipped + 1] = name
    else
      local lane, many = target.lanes_by_name[name], math.ceil(math.min(want, target.room) / #target.queue)
      if not lane then
        lane = lane_of(name, target.name)
        target.lanes_by_name[name] = lane
      end
      if is_ready(lane, target, many) then
        started = started + start_one(lane, target, reads)
        lane.served = true
        if is_ready(lane, target, many) then served[#served + 1] = name end
      end
    end
  end
  if target.partly then
    give_turns(target.lanes, served)
  else
    for _, name in ipairs(served) do skipped[#skipped + 1] = name end
  end
  target.queue = skipped
  return started
end

-- How long (ms) a target rests beyond its next start when it has handed out all it may: with a high rate for several
-- starts, so that the next visit hands out several; but much shorter than what was handed out takes to start.
local function pause_of(target)
  return target.step < limits.ahead / 4 and math.min(20 * target.step, limits.ahead / 4) or 0
end

-- Whether `target` stays on the round after a visit; if not, it is taken off it. A target leaves for one of four
-- reasons, and each says who brings it back: nothing waits (the next accept or queue wakes it), its next lane is due
-- later (its time), it is full or held back (the end of an attempt, the breaker's time, an operator), its rate (its
-- time). A target that left for another reason would never be visited again.
local function stays(target)
  if not (target.queue and target.queue[1]) then
    target.queue = nil
    local next = call('ZRANGE', target.lanes, 0, 0, 'WITHSCORES')
    if not next[1] then
      call('ZREM', P .. 'targets', target.name)
      return false
    elseif tonumber(next[2]) > now then
      call('ZADD', P .. 'targets', next[2], target.name)
      return false
    end
  end
  if target.room <= 0 then
    set_aside(P .. 'targets', target.name, target.again)
  elseif target.start > now + limits.ahead then
    -- Half a ms tells `visit_target` that a free place changes nothing; not where it would be believed for long.
    local time = math.floor(target.start - limits.ahead + pause_of(target))
    call('ZADD', P .. 'targets', string.format('%.1f', time < now + 1000 and time + 0.5 or time), target.name)
  else
    return true
  end
  must_wait(target.name)
  return false
end

-- Writes what was handed out of a target: counters, its next start, and the turns of lanes that started some and are
-- still in its queue, behind all others. Until then Redis has the numbers from before this call, so nothing between the
-- first visit and here may read them again.
local function close_target(target)
  for name, lane in pairs(target.lanes_by_name) do
    take_out(lane)
    if lane.started > 0 then add_to(P .. 'busy:lane', lane.counted, lane.started) end
  end
  if target.started > 0 then
    add_to(P .. 'busy:target', target.name, target.started)
    if target.step > 0 then call('HSET', P .. 'starts', target.name, string.format('%.3f', target.start)) end
  end
  local served = {}
  for _, name in ipairs(target.queue or {}) do
    if target.lanes_by_name[name] and target.lanes_by_name[name].served then served[#served + 1] = name end
  end
  give_turns(target.lanes, served)
end

-- The round. A fleet's free slots bound what is claimed, so that no claim waits for a worker longer than its lease.
-- `names` are the targets in the order of their turns. As with lanes: who is served and stays goes behind the others.
-- If `names` was only a part of the targets, those served get a new turn in Redis and the part is read again; if it was
-- all of them, they are the next round. Ends when enough is handed out, nobody is left, or too many could not be read.
local slots, reads = fleet()
max_claims = math.min(max_claims, slots - call('ZCARD', P .. 'leased'))
local targets_by_name, visited = {}, {}
local function goes_on()
  return max_claims > 0 and unreadable < MAX_UNREADABLE
end
while #names > 0 and goes_on() do
  local served = {}
  for _, name in ipairs(names) do
    if not goes_on() then break end
    local target = targets_by_name[name]
    if not target then
      target = target_of(name)
      targets_by_name[name] = target
      visited[#visited + 1] = target
    end
    if target.room > 0 then max_claims = max_claims - visit(target, max_claims, reads) end
    if stays(target) then served[#served + 1] = name end
  end
  if partly or not goes_on() then
    give_turns(P .. 'targets', served)
    names = {}
    if goes_on() then names, partly = ready(P .. 'targets', max_claims) end
  else
    names = served
  end
end
for _, target in ipairs(visited) do close_target(target) end
if handed_out > 0 then
  call('ZADD', P .. 'leased', unpack(leases))
  add_to(P .. 'counts', 'backlog', -handed_out)
end
return claims
