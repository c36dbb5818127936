-- defer: an attempt that has begun but sent nothing belongs to another lane. Uses no attempt.
-- A suspect stays one.
-- uses: room, clock, common, gates
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
local r = call('HMGET', record, 'state', 'begun_token', 'lane', 'target', 'attempts', 'home')
if r[1] ~= 'begun' or r[2] ~= ARGV[3] then return 0 end
release(id, r[3], r[4])
observe(r[4], id, '')
observe(r[3], id, '')
local lane = ARGV[5]
if r[6] then
  lane = ARGV[4] .. SUSPECTS
  if ARGV[5] ~= r[3] then call('HSET', record, 'home', ARGV[5]) end
end
move(id, 'begun', 'waiting', 'attempts', whole(r[5] - 1), 'target', ARGV[4], 'lane', lane)
queue(id, lane, ARGV[4], now)
return 1
