-- give_back: a claimed invocation returns to its lane unsent (the worker is draining). Uses no attempt.
-- uses: common
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token
--
-- Returns  1 it is back in its lane, 0 the claim was stale
local id = ARGV[2]
local r = call('HMGET', P .. 'inv:' .. id, 'state', 'token', 'lane', 'target')
if r[1] ~= 'claimed' or r[2] ~= ARGV[3] then return 0 end
release(id, r[3], r[4])
move(id, 'claimed', 'waiting')
queue(id, r[3], r[4], now)
return 1
