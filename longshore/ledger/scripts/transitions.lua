-- transitions: how an invocation changes its state, and enters and leaves a lane, a lease and the outbox. Used after
-- clock.lua.
--
-- What invocations share (counters, leases, the places they free, visits of lanes, the outbox) is collected while a
-- script looks at them one by one, and written by `flush`, once for all of them. Whoever calls a function of this file
-- calls `flush` before it claims or returns. What is an invocation's own is written at once, first what fails if one of
-- its keys is broken: so a fault leaves it as it was, with a line of history or a report at most that comes again.

-- The first `MAX_UNPACKED` values, and so on: Lua passes no more than a few thousand at once. An even number, as scores
-- and ids go in pairs.
local MAX_UNPACKED = 1000

-- A command for `values`, however many; `option` "" for none.
local function write(command, key, option, values)
  for n = 1, #values, MAX_UNPACKED do
    local last = math.min(n + MAX_UNPACKED - 1, #values)
    if option == '' then
      call(command, key, unpack(values, n, last))
    else
      call(command, key, option, unpack(values, n, last))
    end
  end
end

local function append(values, value, another)
  values[#values + 1] = value
  if another then values[#values + 1] = another end
end

-- What is collected: what to add to counters; ids whose leases end; how many that were, by target and lane; when to
-- visit lanes, by target; for each invocation with new reports when these are due, and its id; for `limits.open` ids
-- and origins of what has ended.
local additions, ended_leases, freed, visits, reported, origins = {}, {}, {}, {}, {}, nil

-- Adds to a counter of the ledger.
local function count_up(name, number)
  additions[name] = (additions[name] or 0) + (number or 1)
end

-- The one way to change a state. `from` is what the caller read in this same script; other fields to set may follow.
-- For callers that count the backlog themselves; the others call `move`.
local function set_state(id, from, to, ...)
  if not string.find(MOVES, ' ' .. from .. '>' .. to .. ' ', 1, true) then
    error('the move ' .. from .. ' > ' .. to .. ' does not exist')
  end
  call('HSET', P .. 'inv:' .. id, 'state', to, ...)
end

local function move(id, from, to, ...)
  set_state(id, from, to, ...)
  if from == 'waiting' then count_up('backlog', -1) end
  if to == 'waiting' then count_up('backlog') end
end

-- The lane of a target's suspects (invocations that were in flight at several deaths of workers), and under which name
-- a lane is counted in busy:lane: all suspects of the fleet together, as few of them may be tried at once.
local SUSPECTS = '!suspects'

local function counted_as(lane, target)
  return lane == target .. SUSPECTS and SUSPECTS or lane
end

-- First attempts go before retries: a retry's score in its lane is its due time plus `late`, plus half a ms that marks
-- it as a retry. So it is overtaken by what is younger by at most `late`, and starts at its time when nothing else
-- waits.
local function is_late(score)
  return score % 1 ~= 0
end

-- When those are due that wait for their turn in an order (order.lua): long after everything else.
local NEVER = 9e15

-- No later than NEVER: of what is beyond it `whole` would make the distant past, and a call would visit it for ever.
local function due_of(score)
  return math.min(NEVER, is_late(score) and score - 0.5 - limits.late or tonumber(score))
end

-- Has a lane and its target visited no later than `due`.
local function wake(lane, target, due)
  local lanes = visits[target] or {}
  visits[target] = lanes
  if not lanes[lane] or due < lanes[lane] then lanes[lane] = due end
end

-- Puts an invocation into its lane, as a retry if it is one; the lane is on the round.
local function enqueue(id, lane, due, retry)
  local score = retry and string.format('%.1f', math.floor(due) + limits.late + 0.5) or whole(due)
  call('ZADD', P .. 'wait:' .. lane, score, id)
end

-- The same for any lane.
local function queue(id, lane, target, due, retry)
  enqueue(id, lane, due, retry)
  wake(lane, target, due)
end

-- Ends a lease, which frees a place in the target and in the lane.
local function end_lease(id, lane, target)
  ended_leases[#ended_leases + 1] = id
  local lanes = freed[target] or {}
  freed[target] = lanes
  lanes[lane] = (lanes[lane] or 0) + 1
end

-- Whether an item of the outbox is of one of `kinds`: a REPORTS_... text, see longshore/invocation/report_kinds.py.
local function is_report(item, kinds)
  return string.find(kinds, string.sub(item, 1, 1), 1, true)
end

-- Appends reports to the outbox of an invocation, to be sent at `due`: all of them, or once Port's record of the run is
-- closed only lines for its log. `closed`: what the record says, where the caller has read it. Returns nothing.
-- In the script that ends the attempt: no crash can keep the end and lose what Port is to hear of it.
local function report(id, items, due, closed)
  if #items == 0 then return end
  local record, accepted = P .. 'inv:' .. id, {}
  if closed == nil then closed = call('HGET', record, 'closed') end
  for _, item in ipairs(items) do
    if not closed or is_report(item, REPORTS_SEALED_LOGS) then
      accepted[#accepted + 1] = item
      if is_report(item, REPORTS_CLOSING) then
        closed = '1'
        call('HSET', record, 'closed', '1')
      end
    end
  end
  if #accepted == 0 then return end
  call('RPUSH', P .. 'out:' .. id, unpack(accepted))
  append(reported, whole(due), id)
end

-- Ends a delivery in a final state; other fields to set may follow. The caller takes it out of its lane or lease.
local function conclude(id, from, to, reason, ...)
  local record = P .. 'inv:' .. id
  move(id, from, to, 'reason', reason, 'ended', NOW, ...)
  count_up(to)
  if from == 'unknown' then call('ZREM', P .. 'unknown', id) end
  if limits.open then
    origins = origins or {}
    append(origins, id, call('HGET', record, 'origin'))
  end
  if to == 'done' then
    call('PEXPIRE', P .. 'pay:' .. id, limits.keep_payload)
    call('PEXPIRE', record, limits.keep_done)
    call('PEXPIRE', P .. 'att:' .. id, limits.keep_done)
  else
    call('ZADD', P .. to, NOW, id)  -- at once, as another end in the same call may take it out again
    count_up(to .. ':' .. reason)
  end
end

local function free(busy, name, number)
  if add_to(busy, name, -number) <= 0 then call('HDEL', busy, name) end
end

-- Has the lanes of `target` that `visits` names visited at their times, and those with free places when their first is
-- due. A target whose next start is a matter of its rate (half a ms in its score, see dispatch.lua) is left to its time
-- by a free place.
local function visit_target(target)
  local due, scored = nil, {}
  if visits[target] then
    for lane, at in pairs(visits[target]) do
      append(scored, whole(at), lane)
      due = math.min(due or at, at)
    end
  end
  if freed[target] then
    for lane in pairs(freed[target]) do
      local head = call('ZRANGE', P .. 'wait:' .. lane, 0, 0, 'WITHSCORES')
      if head[2] then append(scored, whole(due_of(head[2])), lane) end
    end
  end
  if #scored > 0 then write('ZADD', P .. 'lanes:' .. target, 'LT', scored) end
  if due then call('ZADD', P .. 'targets', 'LT', whole(due), target) end
  if not freed[target] then return end
  local visit = call('ZSCORE', P .. 'targets', target)
  if visit and visit % 1 ~= 0 then return end
  local first = call('ZRANGE', P .. 'lanes:' .. target, 0, 0, 'WITHSCORES')
  if first[2] then call('ZADD', P .. 'targets', 'LT', first[2], target) end
end

-- Has new reports sent when they are due; if somebody is sending older ones of theirs, when that is over.
local function write_outbox()
  for n = 1, #reported, MAX_UNPACKED do
    local ids, since, due = {}, {}, {}
    for m = n, math.min(n + MAX_UNPACKED - 1, #reported), 2 do
      append(ids, reported[m + 1])
      append(since, NOW, reported[m + 1])
    end
    local leases = call('ZMSCORE', P .. 'outbox:leased', unpack(ids))
    for m, id in ipairs(ids) do
      if not leases[m] then append(due, reported[n + 2 * m - 2], id) end
    end
    write('ZADD', P .. 'outbox:since', 'NX', since)
    write('ZADD', P .. 'outbox', 'LT', due)
  end
end

-- Writes what was collected, once in a script: all of it, even where one target's keys are broken. That error ends the
-- script then; the same call again finds every state set, and so adds nothing twice.
local function flush()
  write('ZREM', P .. 'leased', '', ended_leases)
  for target, lanes in pairs(freed) do
    local places = 0
    for lane, number in pairs(lanes) do
      free(P .. 'busy:lane', counted_as(lane, target), number)
      places = places + number
    end
    free(P .. 'busy:target', target, places)
  end
  for name, number in pairs(additions) do add_to(P .. 'counts', name, number) end
  if origins then write('HSET', P .. 'ended', '', origins) end
  write_outbox()
  local fault
  for target in pairs(freed) do
    local is_written, problem = pcall(visit_target, target)
    if not is_written then fault = fault or problem end
  end
  for target in pairs(visits) do
    if not freed[target] then
      local is_written, problem = pcall(visit_target, target)
      if not is_written then fault = fault or problem end
    end
  end
  if fault then error(fault, 0) end
end
