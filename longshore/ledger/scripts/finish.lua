-- finish: what came of some attempts, their reports, and who may start in their place: one step.
-- uses: allow_when_full, judge, clock, transitions, order, limits_and_breaker, round_robin, dispatch(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_claims  to return at most
-- ARGV[3..] ends      for each attempt END_SIZE values and then its reports. The values are those of END_VALUES in
--          longshore/ledger/record.py:
--          id
--          token      with which the attempt began
--          result     done | waiting | dead | unknown
--          delay      for waiting: due so many ms from now
--          reason     code, for people and filters
--          status     HTTP status, or ""
--          attempt    sealed history entry, or ""
--          about_target  what this says about the target: well | fault | "" (nothing, it was not tried)
--          about_lane    the same about the lane
--          clears     "1": it has ended by itself, so it is no suspect any more
--          reports    how many outbox items follow, in order
--
-- Returns  {outcome, ...}   for each: the state it is in now, or "stale" | "gone" (nothing was written), or the error
--                           of a broken record
--          {claim, ...}     flat, see claim.lua
--          workers          how many there are
--
-- Calling it again after a lost reply changes nothing. A worker presumed dead may still report a definite result,
-- unless somebody has begun it again since. A crash before the call leaves the leases, which lapse; there is none in
-- between. So does a fault: what stands before `move` and `conclude` fails if the record or its keys are broken, and
-- what comes after can no more.
local FIRST_END, END_SIZE = 3, 11
local max_claims = tonumber(ARGV[2])

local function finish(at)
  local id, token, result, delay, reason, status, attempt, about_target, about_lane, clears,
    reports = unpack(ARGV, at, at + END_SIZE - 1)
  local record = P .. 'inv:' .. id
  local state, begun_token, lane, target, home, deaths, closed, order = unpack(call('HMGET', record,
    'state', 'begun_token', 'lane', 'target', 'home', 'deaths', 'closed', 'order'))
  if not state then return 'gone' end
  if begun_token ~= token then return 'stale' end
  local definite = result == 'done' or result == 'dead'
  local was_leased = state == 'begun' or state == 'claimed' and definite
  local was_queued = state == 'waiting' and definite
  if not (was_leased or was_queued or state == 'unknown' and result ~= 'unknown') then return state end

  -- By its length, as a requeue counts attempts from 0 again.
  if attempt ~= '' and call('RPUSH', P .. 'att:' .. id, attempt) > limits.history then
    call('LTRIM', P .. 'att:' .. id, -limits.history, -1)
  end
  if reports ~= '0' then
    report(id, {unpack(ARGV, at + END_SIZE, at + END_SIZE + reports - 1)}, now, closed)
  end
  -- A suspect stands in a lane of its own; what it says is about the one that is its home.
  local home_lane, next_lane = home or lane, home and target .. SUSPECTS or lane
  if deaths and clears == '1' then
    -- It has ended in the hands of a worker that lives: whatever killed the others, it was not this.
    next_lane = home_lane
    call('HDEL', record, 'deaths', 'home')
  end
  if result == 'waiting' then
    queue_in_order(id, order, next_lane, target, now + tonumber(delay), true)
    move(id, state, 'waiting', 'reason', reason, 'status', status, 'lane', next_lane)
    if state == 'unknown' then call('ZREM', P .. 'unknown', id) end
    count_up('retried')
  else
    conclude(id, state, result, reason, 'status', status, 'lane', home_lane)
  end
  if was_leased then end_lease(id, lane, target) end
  if was_queued then call('ZREM', P .. 'wait:' .. lane, id) end
  observe(target, id, about_target)
  observe(home_lane, id, about_lane)
  leave_order(id, order, result)
  return result
end

local outcomes, at = {}, FIRST_END
while at <= #ARGV do
  outcomes[#outcomes + 1] = judge(finish, at)
  at = at + END_SIZE + tonumber(ARGV[at + END_SIZE - 1])
end
flush()
return {outcomes, claim(max_claims), call('ZCARD', P .. 'fleet')}
