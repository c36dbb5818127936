-- settle_acks: what Port said of leased runs. Ours: they wait in their lanes. Not ours: they are forgotten. Not heard:
-- it is asked again. And what may start at once.
-- uses: allow_when_full, judge, clock, transitions, order, limits_and_breaker, round_robin, dispatch(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_claims  to return at most
-- ARGV[3]  delay       before Port is asked again (ms)
-- ARGV[4..] id, token, verdict  of each; token as lease_acks gave it, verdict: ours | not_ours | not_heard
--
-- Returns  {outcome, ...}   for each: the state it is in now, or "gone" (it has no record), or "stale" (somebody else
--                           asks), or the error of a broken record
--          {claim, ...}     flat, see claim.lua
--          workers          how many there are
--
-- Its reports go to the outbox only now: of a run that is not ours Port hears nothing. One that is not held was ours
-- before, and Port has given it out again: it only had to be acknowledged once more.
--
-- Calling it again after a lost reply changes nothing. A crash before the call leaves the leases, which lapse.
local max_claims, delay, FIRST_VERDICT, SIZE = tonumber(ARGV[2]), tonumber(ARGV[3]), 4, 3

local function forget(id, order)
  call('DEL', P .. 'inv:' .. id, P .. 'pay:' .. id, P .. 'first:' .. id)
  leave_order(id, order)
  count_up('not_ours')
  return 'gone'
end

local function take(id, lane, target, dead, order)
  local is_dead = dead ~= ''
  local due = is_dead and now or now + limits.report_delay
  report(id, call('LRANGE', P .. 'first:' .. id, 0, -1), due, false)
  if is_dead then
    conclude(id, 'held', 'dead', dead)
    leave_order(id, order, 'dead')
  else
    queue_in_order(id, order, lane, target, now)
    move(id, 'held', 'waiting')
  end
  call('DEL', P .. 'first:' .. id)
  return is_dead and 'dead' or 'waiting'
end

local function settle(id, token, verdict)
  local record = P .. 'inv:' .. id
  local state, asks, asked, lane, target, dead, order = unpack(call('HMGET', record,
    'state', 'asks', 'asked', 'lane', 'target', 'reason', 'order'))
  if not state then return 'gone' end
  if asks ~= token then return 'stale' end
  local outcome = state
  if verdict == 'not_heard' then
    if asked == token then call('HDEL', record, 'asked') end
    call('ZADD', P .. 'acks', 'XX', whole(lease_now + delay), id)
    return state
  elseif state == 'held' then
    outcome = verdict == 'ours' and take(id, lane, target, dead or '', order) or forget(id, order)
  end
  call('ZREM', P .. 'acks', id) -- last: whatever goes wrong before is tried again
  return outcome
end

local outcomes = {}
for n = FIRST_VERDICT, #ARGV, SIZE do outcomes[#outcomes + 1] = judge(settle, unpack(ARGV, n, n + SIZE - 1)) end
flush()
return {outcomes, claim(max_claims), call('ZCARD', P .. 'fleet')}
