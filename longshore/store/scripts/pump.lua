-- pump: lapsed leases first, then what may start now.
-- uses: common, claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  want       most invocations to claim
--
-- Returns  {claim, ...}                       six values each, see claim.lua
--          {{id, state, reason, target}, ...}  leases that lapsed, with the state they went to
--
-- A claimed one was never sent and goes back to its lane. A begun one may have been sent: its policy decides.
local lapsed = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'leased', '-inf', '(' .. whole(lease_now), 'LIMIT', 0, 100)) do
  local r = call('HMGET', P .. 'inv:' .. id, 'state', 'lane', 'target', 'unknown', 'attempts', 'max_attempts', 'synchronized')
  local state, lane, target = r[1], r[2], r[3]
  if state ~= 'claimed' and state ~= 'begun' then
    call('ZREM', P .. 'leased', id)
  else
    release(id, lane, target)
    call('HINCRBY', P .. 'counts', 'lapsed:' .. state, 1)
    local to, reason = 'waiting', 'not_begun'
    if state == 'begun' then
      reason = 'worker_lost'
      if r[4] ~= 'retry' or tonumber(r[5]) >= tonumber(r[6]) then to = 'unknown' end
    end
    if to == 'waiting' then
      move(id, state, 'waiting')
      queue(id, lane, target, now)
    else
      conclude(id, state, 'unknown', reason)
      report(id, {(r[7] == '1' and '!' or '?') .. reason}, now)
    end
    lapsed[#lapsed + 1] = {id, to, reason, target}
  end
end
return {claim(tonumber(ARGV[2])), lapsed}
