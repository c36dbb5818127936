-- pump: lapsed leases first, then what may start now.
-- uses: room, clock, common, gates, round, hand_out(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  want       most invocations to claim
--
-- Returns  {claim, ...}                       seven values each, see claim.lua
--          {{id, state, reason, target}, ...}  leases that lapsed, with the state they went to
--
-- A claimed one was never sent and goes back to its lane: no attempt, and as no worker has read its payload, no suspect.
-- A begun one may have been sent: its policy decides. What is to be sent again was in flight when a worker died, and may
-- be what killed it: after `suspect` such deaths it waits among the suspects, which workers try in a process of their
-- own, and if that is lost too, it is a dead letter. Whoever ends an attempt alive is cleared (finish).

-- Where an attempt goes whose worker died: state, reason, and how Port is told (see report).
local function after_death(id, r)
  if r[4] ~= 'retry' then return 'unknown', 'worker_lost', r[7] == '1' and '!' or '?' end
  local deaths = call('HINCRBY', P .. 'inv:' .. id, 'deaths', 1)
  if deaths > limits.suspect then return 'dead', 'poison', '#' end
  if tonumber(r[5]) >= tonumber(r[6]) then return 'unknown', 'worker_lost', r[7] == '1' and '!' or '?' end
  return 'waiting', deaths == limits.suspect and 'suspected' or 'worker_lost', ''
end

local lapsed = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'leased', '-inf', '(' .. whole(lease_now), 'LIMIT', 0, 100)) do
  local r = call('HMGET', P .. 'inv:' .. id, 'state', 'lane', 'target', 'unknown', 'attempts', 'max_attempts', 'synchronized', 'home')
  local state, lane, target = r[1], r[2], r[3]
  if state ~= 'claimed' and state ~= 'begun' then
    call('ZREM', P .. 'leased', id)
  else
    release(id, lane, target)
    -- A probe that was lost with its worker opens its breaker again; of others nobody knows.
    for _, name in ipairs({target, lane}) do
      local b = breaker_of(call('HGET', GATES, 'b:' .. name))
      if b and b.probe == id then observe(name, id, state == 'begun' and 'fault' or '') end
    end
    call('HINCRBY', P .. 'counts', 'lapsed:' .. state, 1)
    local to, reason, mark = 'waiting', 'not_begun', ''
    if state == 'begun' then
      to, reason, mark = after_death(id, r)
    end
    if to == 'waiting' then
      if reason == 'suspected' then
        call('HSET', P .. 'inv:' .. id, 'home', lane)
        lane = target .. SUSPECTS
      end
      move(id, state, 'waiting', 'lane', lane)
      queue(id, lane, target, now)
    else
      conclude(id, state, to, reason, 'lane', r[8] or lane)
      report(id, {mark .. reason}, now)
    end
    lapsed[#lapsed + 1] = {id, to, reason, target}
  end
end
return {claim(tonumber(ARGV[2])), lapsed}
