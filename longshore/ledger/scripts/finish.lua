-- finish: what came of an attempt, its reports, and who may start in its place: one step.
-- uses: allow_when_full, clock, transitions, limits_and_breaker, round_robin, dispatch(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_claims  to return at most
-- ARGV[3]  id
-- ARGV[4]  token      with which the attempt began
-- ARGV[5]  result     done | waiting | dead | unknown
-- ARGV[6]  delay      for waiting: due so many ms from now
-- ARGV[7]  reason     code, for people and filters
-- ARGV[8]  status     HTTP status, or ""
-- ARGV[9]  attempt    sealed history entry
-- ARGV[10] about_target  what this says about the target: well | fault | "" (nothing, it was not tried)
-- ARGV[11] about_lane    the same about the lane
-- ARGV[12] clears     "1": it has ended by itself, so it is no suspect any more
-- ARGV[13..] reports  outbox items, in order
--
-- Returns  outcome, {claim, ...}     outcome: the state it is in now, or "stale" | "gone" (nothing was written)
--
-- Calling it again after a lost reply changes nothing. A worker presumed dead may still report a definite result,
-- unless somebody has begun it again since. A crash before the call leaves the lease, which lapses; there is none in
-- between.
local max_claims, id, token, result, delay, reason = unpack(ARGV, 2, 7)
local status, attempt, about_target, about_lane, clears = unpack(ARGV, 8, 12)
local FIRST_REPORT = 13
local record = P .. 'inv:' .. id
local state, begun_token, lane, target, home, deaths, closed = unpack(call('HMGET', record,
  'state', 'begun_token', 'lane', 'target', 'home', 'deaths', 'closed'))

-- Takes it from where it stands. Returns whether this result is still of use there.
local function take()
  local definite = result == 'done' or result == 'dead'
  if state == 'begun' or state == 'claimed' and definite then
    end_lease(id, lane, target)
  elseif state == 'waiting' and definite then
    call('ZREM', P .. 'wait:' .. lane, id)
  else
    return state == 'unknown' and result ~= 'unknown'
  end
  return true
end

local function apply()
  if not state then return 'gone' end
  if begun_token ~= token then return 'stale' end
  if not take() then return state end
  -- A suspect stands in a lane of its own; what it says is about the one that is its home.
  local home_lane = home or lane
  observe(target, id, about_target)
  observe(home_lane, id, about_lane)
  if deaths and clears == '1' then
    -- It has ended in the hands of a worker that lives: whatever killed the others, it was not this.
    lane = home_lane
    call('HSET', record, 'lane', lane)
    call('HDEL', record, 'deaths', 'home')
  elseif home then
    lane = target .. SUSPECTS
  end
  -- By its length, as a requeue counts attempts from 0 again.
  if attempt ~= '' and call('RPUSH', P .. 'att:' .. id, attempt) > limits.history then
    call('LTRIM', P .. 'att:' .. id, -limits.history, -1)
  end
  if result == 'waiting' then
    if state == 'unknown' then call('ZREM', P .. 'unknown', id) end
    move(id, state, 'waiting', 'reason', reason, 'status', status, 'lane', lane)
    call('HINCRBY', P .. 'counts', 'retried', 1)
    queue(id, lane, target, now + tonumber(delay), true)
  else
    conclude(id, state, result, reason, 'status', status, 'lane', home_lane)
  end
  report(id, {unpack(ARGV, FIRST_REPORT)}, now, closed)
  return result
end

local outcome = apply()
return {outcome, claim(tonumber(max_claims))}
