-- finish: what came of an attempt, its reports, and who may start in its place: one step.
-- uses: room, clock, common, gates, round, hand_out(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  want       most invocations to claim
-- ARGV[3]  id
-- ARGV[4]  token      with which the attempt began
-- ARGV[5]  result     done | waiting | dead | unknown
-- ARGV[6]  delay (ms) for waiting: due this long from now
-- ARGV[7]  reason     code, for people and filters
-- ARGV[8]  status     HTTP status, or ""
-- ARGV[9]  attempt    sealed history entry
-- ARGV[10] target     what this says about the target: well | fault | "" (nothing, it was not tried)
-- ARGV[11] lane       the same about the lane
-- ARGV[12] clears     "1": it has ended by itself, so it is no suspect any more
-- ARGV[13..] reports  outbox items, in order
--
-- Returns  {applied}, {claim, ...}     applied: the state it is in now, or "stale" | "gone" (nothing was written)
--
-- Calling it again after a lost reply changes nothing. A worker presumed dead may still report a definite result, unless
-- somebody has begun anew since.
local id, token, result = ARGV[3], ARGV[4], ARGV[5]
local record = P .. 'inv:' .. id
local r = call('HMGET', record, 'state', 'begun_token', 'lane', 'target', 'home', 'deaths', 'closed')
local state, lane, target = r[1], r[3], r[4]

local function apply()
  if not state then return 'gone' end
  if r[2] ~= token then return 'stale' end
  local definite = result == 'done' or result == 'dead'
  if state == 'begun' then
    release(id, lane, target)
  elseif state == 'claimed' and definite then
    release(id, lane, target)
  elseif state == 'waiting' and definite then
    call('ZREM', P .. 'wait:' .. lane, id)
  elseif not (state == 'unknown' and result ~= 'unknown') then
    return state
  end
  observe(target, id, ARGV[10])
  observe(r[5] or lane, id, ARGV[11])
  if r[6] and ARGV[12] == '1' then
    -- It has ended in the hands of a worker that lives: whatever killed the others, it was not this.
    lane = r[5] or lane
    call('HSET', record, 'lane', lane)
    call('HDEL', record, 'deaths', 'home')
  elseif r[5] then
    lane = target .. SUSPECTS
  end
  -- By its length, as a requeue counts attempts anew.
  if ARGV[9] ~= '' and call('RPUSH', P .. 'att:' .. id, ARGV[9]) > limits.history then
    call('LTRIM', P .. 'att:' .. id, -limits.history, -1)
  end
  if result == 'waiting' then
    if state == 'unknown' then call('ZREM', P .. 'unknown', id) end
    move(id, state, 'waiting', 'reason', ARGV[7], 'status', ARGV[8], 'lane', lane)
    call('HINCRBY', P .. 'counts', 'retried', 1)
    queue(id, lane, target, now + tonumber(ARGV[6]), true)
  else
    conclude(id, state, result, ARGV[7], 'status', ARGV[8], 'lane', r[5] or lane)
  end
  local items = {}
  for n = 13, #ARGV do items[#items + 1] = ARGV[n] end
  report(id, items, now, r[7])
  return result
end

local applied = apply()
return {applied, claim(tonumber(ARGV[2]))}
