-- transitions: how an invocation changes its state, and enters and leaves a lane, a lease and the outbox. Used after
-- clock.lua.

-- The one way to change a state. `from` is what the caller read in this same script; other fields to set may follow.
-- The caller counts the backlog itself, for many at once; who moves one calls `move`.
local function set_state(id, from, to, ...)
  if not string.find(MOVES, ' ' .. from .. '>' .. to .. ' ', 1, true) then
    error('the move ' .. from .. ' > ' .. to .. ' does not exist')
  end
  call('HSET', P .. 'inv:' .. id, 'state', to, ...)
end

local function move(id, from, to, ...)
  set_state(id, from, to, ...)
  if from == 'waiting' then call('HINCRBY', P .. 'counts', 'backlog', -1) end
  if to == 'waiting' then call('HINCRBY', P .. 'counts', 'backlog', 1) end
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

local function due_of(score)
  return is_late(score) and score - 0.5 - limits.late or tonumber(score)
end

-- Has a lane and its target visited no later than `due`.
local function wake(lane, target, due)
  call('ZADD', P .. 'lanes:' .. target, 'LT', due, lane)
  call('ZADD', P .. 'targets', 'LT', due, target)
end

-- Puts an invocation into its lane, as a retry if it is one.
local function queue(id, lane, target, due, retry)
  local score = retry and string.format('%.1f', math.floor(due) + limits.late + 0.5) or whole(due)
  call('ZADD', P .. 'wait:' .. lane, score, id)
  wake(lane, target, whole(due))
end

-- Ends a lease, which frees a place in the target and in the lane, and has both visited again. A target whose next
-- start is a matter of its rate (half a ms in its score, see dispatch.lua) is left to its time.
local function end_lease(id, lane, target)
  call('ZREM', P .. 'leased', id)
  if call('HINCRBY', P .. 'busy:target', target, -1) <= 0 then call('HDEL', P .. 'busy:target', target) end
  local counted = counted_as(lane, target)
  if call('HINCRBY', P .. 'busy:lane', counted, -1) <= 0 then call('HDEL', P .. 'busy:lane', counted) end
  local head = call('ZRANGE', P .. 'wait:' .. lane, 0, 0, 'WITHSCORES')
  if head[2] then call('ZADD', P .. 'lanes:' .. target, 'LT', whole(due_of(head[2])), lane) end
  local visit = call('ZSCORE', P .. 'targets', target)
  if visit and visit % 1 ~= 0 then return end
  local first = call('ZRANGE', P .. 'lanes:' .. target, 0, 0, 'WITHSCORES')
  if first[2] then call('ZADD', P .. 'targets', 'LT', first[2], target) end
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
  call('ZADD', P .. 'outbox:since', 'NX', NOW, id)
  if not call('ZSCORE', P .. 'outbox:leased', id) then call('ZADD', P .. 'outbox', 'LT', whole(due), id) end
end

-- Ends a delivery in a final state; other fields to set may follow. The caller has taken it out of its lane or lease.
local function conclude(id, from, to, reason, ...)
  move(id, from, to, 'reason', reason, 'ended', NOW, ...)
  call('HINCRBY', P .. 'counts', to, 1)
  local record = P .. 'inv:' .. id
  if from == 'unknown' then call('ZREM', P .. 'unknown', id) end
  if limits.open then call('HSET', P .. 'ended', id, call('HGET', record, 'origin')) end
  if to == 'done' then
    call('PEXPIRE', P .. 'pay:' .. id, limits.keep_payload)
    call('PEXPIRE', record, limits.keep_done)
    call('PEXPIRE', P .. 'att:' .. id, limits.keep_done)
  else
    call('ZADD', P .. to, NOW, id)
    call('HINCRBY', P .. 'counts', to .. ':' .. reason, 1)
  end
end
