-- begin: may this worker send now? From here on bytes may leave.
-- uses: room, clock, common
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token      of the message; only the newest claim may begin
--
-- Returns  {}          no: begun, finished or claimed anew since; the message is stale
--          {format}    no: this worker does not read that format; nothing has changed
--          {format, payload, kind, run, synchronized, target, lane, attempt (from 1), generation, published (ms), accepted (ms),
--           first attempt (ms), origin, mapping, unknown, max attempts, deaths of workers at which it was in flight, moves
--           to other targets, trace (sealed)}
local id = ARGV[2]
local record = P .. 'inv:' .. id
local r = call('HMGET', record, 'state', 'token', 'kind', 'run', 'synchronized', 'target', 'lane', 'generation',
  'published', 'accepted', 'origin', 'mapping', 'unknown', 'max_attempts', 'attempts', 'deaths',
  'format', 'trace', 'first', 'moves')
if r[1] ~= 'claimed' or r[2] ~= ARGV[3] then return {} end
local format = tonumber(r[17]) or 1
if format < limits.reads[1] or format > limits.reads[2] then return {format} end
local attempt = (tonumber(r[15]) or 0) + 1
-- What was put back unsent was no attempt, so the first may begin more than once.
local first = attempt > 1 and r[19] or NOW
move(id, 'claimed', 'begun', 'first', first, 'attempts', whole(attempt), 'begun_token', r[2], 'begun', NOW)
call('ZADD', P .. 'leased', 'XX', whole(lease_now + limits.lease), id)
return {format, call('GET', P .. 'pay:' .. id) or '', r[3], r[4], r[5], r[6], r[7], attempt, r[8], r[9], r[10], first,
  r[11], r[12], r[13], r[14], r[16] or 0, r[20] or 0, r[18] or ''}
