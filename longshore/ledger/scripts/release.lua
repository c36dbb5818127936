-- release: an invocation of which nothing was sent returns to its lane: the worker is draining, or never learned
-- whether `begin` had run, or it does not read the record's format. Uses no attempt.
-- uses: allow_when_full, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token
-- ARGV[4]  delay    before it is handed out again (ms)
--
-- Returns  1 it is back in its lane, 0 the claim was stale
local id, token, delay = unpack(ARGV, 2, 4)
local state, claim_token, lane, target, attempts = unpack(call('HMGET', P .. 'inv:' .. id,
  'state', 'token', 'lane', 'target', 'attempts'))
if claim_token ~= token or (state ~= 'claimed' and state ~= 'begun') then return 0 end
end_lease(id, lane, target)
observe(target, id, '')
observe(lane, id, '')
if state == 'begun' then
  move(id, 'begun', 'waiting', 'attempts', whole(attempts - 1))
else
  move(id, 'claimed', 'waiting')
end
queue(id, lane, target, now + tonumber(delay))
return 1
