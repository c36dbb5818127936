-- defer: an attempt that has begun but sent nothing belongs to another lane. Uses no attempt.
-- uses: common
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token    with which the attempt began
-- ARGV[4]  target
-- ARGV[5]  lane
--
-- Returns  1 it waits in its new lane, 0 the lease had lapsed (nothing changed)
local id = ARGV[2]
local record = P .. 'inv:' .. id
local r = call('HMGET', record, 'state', 'begun_token', 'lane', 'target', 'attempts')
if r[1] ~= 'begun' or r[2] ~= ARGV[3] then return 0 end
release(id, r[3], r[4])
move(id, 'begun', 'waiting', 'attempts', whole(r[5] - 1), 'target', ARGV[4], 'lane', ARGV[5])
queue(id, ARGV[5], ARGV[4], now)
return 1
