-- heartbeat: a worker process is alive, holds so many slots, reads the formats in `limits`, and still works on these.
-- uses: allow_when_full, clock, transitions, limits_and_breaker, round_robin, activity
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  worker     unique per process
-- ARGV[3]  slots      0 withdraws the process
-- ARGV[4]  sums       how many of these follow, each a field and a number: see activity.lua
-- ARGV[5..] the sums, then id, token  of attempts still within their deadline: their leases are renewed
--
-- Returns  the fleet's slots
--
-- A worker that stops beating loses its slots and its leases after one lease time.
local worker, slots, sums = ARGV[2], ARGV[3], ARGV[4]
local FIRST_SUM = 5
local first_attempt = FIRST_SUM + 2 * sums
if tonumber(slots) > 0 then
  call('ZADD', P .. 'fleet', whole(lease_now + limits.lease), worker)
  call('HSET', P .. 'slots', worker, slots)
  call('HSET', P .. 'formats', worker, whole(limits.reads[1]) .. '-' .. whole(limits.reads[2]))
else
  call('ZREM', P .. 'fleet', worker)
  call('HDEL', P .. 'slots', worker)
  call('HDEL', P .. 'formats', worker)
end
for n = first_attempt, #ARGV, 2 do
  local id, token = ARGV[n], ARGV[n + 1]
  local state, begun_token = unpack(redis.pcall('HMGET', P .. 'inv:' .. id, 'state', 'begun_token'))
  if state == 'begun' and begun_token == token then
    call('ZADD', P .. 'leased', 'XX', whole(lease_now + limits.lease), id)
  end
end
pcall(add_activity, FIRST_SUM, first_attempt - 1)  -- a broken key of it must cost no lease
return (count_fleet())
