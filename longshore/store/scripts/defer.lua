-- defer: an attempt that has begun but sent nothing belongs to another lane. Uses no attempt.
-- A suspect stays one. What moves to another target again and again waits longer each time.
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
local LONGEST_PAUSE = 60000
local id = ARGV[2]
local record = P .. 'inv:' .. id
local r = call('HMGET', record, 'state', 'begun_token', 'lane', 'target', 'attempts', 'home', 'moves')
if r[1] ~= 'begun' or r[2] ~= ARGV[3] then return 0 end
release(id, r[3], r[4])
observe(r[4], id, '')
observe(r[3], id, '')
local lane = ARGV[5]
if r[6] then
  lane = ARGV[4] .. SUSPECTS
  if ARGV[5] ~= r[3] then call('HSET', record, 'home', ARGV[5]) end
end
local moves, pause = tonumber(r[7]) or 0, 0
if ARGV[4] ~= r[4] then
  moves = moves + 1
  if moves > 1 then pause = math.min(1000 * 2 ^ (moves - 2), LONGEST_PAUSE) end
end
move(id, 'begun', 'waiting', 'attempts', whole(r[5] - 1), 'target', ARGV[4], 'lane', lane, 'moves', whole(moves))
queue(id, lane, ARGV[4], now + pause)
return 1
