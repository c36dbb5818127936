-- pump: lapsed leases first, then what may start now.
-- uses: allow_when_full, clock, transitions, order, limits_and_breaker, round_robin, dispatch(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_claims  to return at most
--
-- Returns  {claim, ...}                       flat, see claim.lua
--          {{id, state, reason, target}, ...}  leases that lapsed, with the state they went to; `broken_record` if
--                                              that cannot be done
--          workers                             how many there are
--
-- A claimed one was never sent and goes back to its lane: no attempt, and as no worker has read its payload, no
-- suspect. A begun one may have been sent: its policy decides. What is to be sent again was in flight when a worker
-- died, and may be what killed it: after `suspect` such deaths it waits among the suspects, which workers try in a
-- process of their own, and if that is lost too, it is a dead letter. Whoever ends an attempt alive is cleared
-- (finish).

local max_claims = ARGV[2]

-- Where an invocation goes whose worker died: state, reason, and the kind of report that tells Port, nil for none.
local function after_death(id, policy, attempts, max_attempts, synchronized)
  local lost = synchronized == '1' and REPORT_LOST_ENDED or REPORT_LOST
  if policy ~= 'retry' then return 'unknown', 'worker_lost', lost end
  local deaths = call('HINCRBY', P .. 'inv:' .. id, 'deaths', 1)
  if deaths > limits.suspect then return 'dead', 'poison', REPORT_DEAD_LETTER end
  if tonumber(attempts) >= tonumber(max_attempts) then return 'unknown', 'worker_lost', lost end
  return 'waiting', deaths == limits.suspect and 'suspected' or 'worker_lost'
end

local lapsed = {}

-- A lease that nobody renews: back to its lane, or to the end that the death of its worker leads to. All of one in this
-- one script: a crash leaves the lease as it was, or nothing of it.
local function lapse(id)
  local record = P .. 'inv:' .. id
  local state, lane, target, policy, attempts, max_attempts, synchronized, home, order = unpack(call('HMGET',
    record, 'state', 'lane', 'target', 'unknown', 'attempts', 'max_attempts', 'synchronized', 'home', 'order'))
  if state ~= 'claimed' and state ~= 'begun' then return call('ZREM', P .. 'leased', id) end
  local to, reason, kind, next_lane = 'waiting', 'not_begun', nil, lane
  if state == 'begun' then
    to, reason, kind = after_death(id, policy, attempts, max_attempts, synchronized)
  end
  if to == 'waiting' then
    if reason == 'suspected' then
      call('HSET', record, 'home', lane)
      next_lane = target .. SUSPECTS
    end
    queue(id, next_lane, target, now)
    move(id, state, 'waiting', 'lane', next_lane)
  else
    report(id, {kind .. reason}, now)
    conclude(id, state, to, reason, 'lane', home or lane)
  end
  end_lease(id, lane, target)
  count_up('lapsed:' .. state)
  lapsed[#lapsed + 1] = {id, to, reason, target}
  -- A probe that was lost with its worker opens its breaker again; of others nobody knows.
  for _, name in ipairs({target, lane}) do
    local b = breaker_named(name)
    if b and b.probe == id then observe(name, id, state == 'begun' and 'fault' or '') end
  end
  leave_order(id, order, to)
end

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'leased', '-inf', '(' .. whole(lease_now), 'LIMIT', 0, 100)) do
  if not pcall(lapse, id) then
    -- Its record or its reports are broken. It keeps its place, so that it is seen, and is looked at again.
    call('ZADD', P .. 'leased', 'XX', whole(lease_now + limits.lease), id)
    lapsed[#lapsed + 1] = {id, 'begun', 'broken_record', ''}
  end
end
check_orders()
flush()
return {claim(tonumber(max_claims)), lapsed, call('ZCARD', P .. 'fleet')}
