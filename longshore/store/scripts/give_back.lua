-- give_back: an invocation of which nothing was sent returns to its lane: the worker is draining, or never learned
-- whether `begin` had run, or it does not read the record's format. Uses no attempt.
-- uses: room, clock, common, gates
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token
-- ARGV[4]  delay (ms)  before it is handed out again
--
-- Returns  1 it is back in its lane, 0 the claim was stale
local id = ARGV[2]
local r = call('HMGET', P .. 'inv:' .. id, 'state', 'token', 'lane', 'target', 'attempts')
if r[2] ~= ARGV[3] or (r[1] ~= 'claimed' and r[1] ~= 'begun') then return 0 end
release(id, r[3], r[4])
observe(r[4], id, '')
observe(r[3], id, '')
if r[1] == 'begun' then
  move(id, 'begun', 'waiting', 'attempts', whole(r[5] - 1))
else
  move(id, 'claimed', 'waiting')
end
queue(id, r[3], r[4], now + tonumber(ARGV[4]))
return 1
