-- save_job: stores a requeue job: the ids it is to requeue, or its fields. Like requeueing itself also while Redis is
-- full: what is requeued ends again, which makes room.
-- uses: allow_when_full
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  name     of the job
-- ARGV[3]  change   ids: appends entries to its list
--                   active, inactive: sets fields of the job, and workers carry it on from now on, or do not
-- ARGV[4..] values  entries "<generation>:<id>"; or fields and values in turn
--
-- Returns  nothing
--
-- A job is created by several calls: its ids, a thousand at a time, and at last its fields, which make it active. A
-- crash in between leaves a list of ids without a job, which nobody reads and which expires.
local P = KEYS[1]
local call = redis.call
local name, change = ARGV[2], ARGV[3]
local FIRST_VALUE = 4
local job = P .. 'job:' .. name

-- How long a job is kept (s): two weeks, as long as dead letters by default. As in run_job.lua.
local KEEP_S = 1209600

if change == 'ids' then
  call('RPUSH', job .. ':ids', unpack(ARGV, FIRST_VALUE))
  call('EXPIRE', job .. ':ids', KEEP_S)
  return
end
call('HSET', job, unpack(ARGV, FIRST_VALUE))
call('EXPIRE', job, KEEP_S)
if change == 'active' then
  call('ZADD', P .. 'jobs', 1, name)
else
  call('ZREM', P .. 'jobs', name)
end
local time = call('TIME')
call('ZADD', P .. 'jobs:made', 'NX', string.format('%d.%06d', time[1], time[2]), name)
call('ZREMRANGEBYSCORE', P .. 'jobs:made', '-inf', string.format('%d', time[1] - KEEP_S))
