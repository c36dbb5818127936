-- beat: a worker process is alive, holds so many slots, reads the formats in `limits`, and still works on these.
-- uses: room, clock, common, gates, round
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  worker     unique per process
-- ARGV[3]  slots      0 withdraws the process
-- ARGV[4..] id, token  of attempts still within their deadline: their leases are renewed
--
-- Returns  the fleet's slots
--
-- A worker that stops beating loses its slots and its leases after one lease time.
if tonumber(ARGV[3]) > 0 then
  call('ZADD', P .. 'fleet', whole(lease_now + limits.lease), ARGV[2])
  call('HSET', P .. 'slots', ARGV[2], ARGV[3])
  call('HSET', P .. 'formats', ARGV[2], whole(limits.reads[1]) .. '-' .. whole(limits.reads[2]))
else
  call('ZREM', P .. 'fleet', ARGV[2])
  call('HDEL', P .. 'slots', ARGV[2])
  call('HDEL', P .. 'formats', ARGV[2])
end
for n = 4, #ARGV, 2 do
  local r = call('HMGET', P .. 'inv:' .. ARGV[n], 'state', 'begun_token')
  if r[1] == 'begun' and r[2] == ARGV[n + 1] then
    call('ZADD', P .. 'leased', 'XX', whole(lease_now + limits.lease), ARGV[n])
  end
end
return (count_fleet())
