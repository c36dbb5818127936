-- defer: an attempt that has begun but sent nothing belongs to another lane. Uses no attempt.
-- A suspect stays one. What moves to another target again and again waits longer each time.
-- uses: allow_when_full, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token    with which the attempt began
-- ARGV[4]  new_target
-- ARGV[5]  new_lane
--
-- Returns  1 it waits in its new lane, 0 the lease had lapsed (nothing changed)
local LONGEST_PAUSE = 60000
local id, token, new_target, new_lane = unpack(ARGV, 2, 5)
local record = P .. 'inv:' .. id
local state, begun_token, lane, target, attempts, home, moves = unpack(call('HMGET', record,
  'state', 'begun_token', 'lane', 'target', 'attempts', 'home', 'moves'))
if state ~= 'begun' or begun_token ~= token then return 0 end
end_lease(id, lane, target)
observe(target, id, '')
observe(lane, id, '')
if home then
  if new_lane ~= lane then call('HSET', record, 'home', new_lane) end
  new_lane = new_target .. SUSPECTS
end
local pause = 0
moves = tonumber(moves) or 0
if new_target ~= target then
  moves = moves + 1
  if moves > 1 then pause = math.min(1000 * 2 ^ (moves - 2), LONGEST_PAUSE) end
end
move(id, 'begun', 'waiting', 'attempts', whole(attempts - 1), 'target', new_target, 'lane', new_lane,
  'moves', whole(moves))
queue(id, new_lane, new_target, now + pause)
flush()
return 1
