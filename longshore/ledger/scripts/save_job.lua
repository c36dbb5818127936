-- save_job: stores what a requeue job is to send, or how it stands. Like requeueing itself also while Redis is full:
-- what is sent again ends again, and makes room.
-- uses: allow_when_full
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  job
-- ARGV[3]  what      list: ARGV[4...] are more entries of what is to be sent
--                    runs, rests: ARGV[4...] are fields and values of the job, which workers carry on, or do not
--
-- Returns  nothing
local P = KEYS[1]
local call = redis.call
local what, job = ARGV[3], P .. 'job:' .. ARGV[2]

-- How long it is kept (s): two weeks, as long as dead letters by default. As in run_job.lua.
local KEPT = 1209600

if what == 'list' then
  call('RPUSH', job .. ':ids', unpack(ARGV, 4))
  call('EXPIRE', job .. ':ids', KEPT) -- at once: whoever makes the job may be killed meanwhile
  return
end
call('HSET', job, unpack(ARGV, 4))
call('EXPIRE', job, KEPT)
if what == 'runs' then
  call('ZADD', P .. 'jobs', 1, ARGV[2])
else
  call('ZREM', P .. 'jobs', ARGV[2])
end
local time = call('TIME')
call('ZADD', P .. 'jobs:made', 'NX', string.format('%d.%06d', time[1], time[2]), ARGV[2])
call('ZREMRANGEBYSCORE', P .. 'jobs:made', '-inf', string.format('%d', time[1] - KEPT))
