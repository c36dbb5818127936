-- begin: may this worker send now? From here on bytes may leave.
-- uses: allow_when_full, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token      of the message; only the newest claim may begin
--
-- Returns  {}          no: begun, finished or claimed again since; the message is stale
--          {format}    no: this worker does not read that format; nothing has changed
--          {format, payload, attempt (from 1), first attempt (ms), ...}
--                      yes; then the fields of its record that `started_fields` names, nil for what it does not have
--
-- A crash from here on leaves it `begun`, with an attempt counted. Whether bytes were sent is then unknown, so its
-- lease lapses and the policy for unknown outcomes decides (pump).
local id, token = ARGV[2], ARGV[3]
local record = P .. 'inv:' .. id
local FIRST_STARTED_FIELD = 6
local values = call('HMGET', record, 'state', 'token', 'format', 'attempts', 'first', started_fields())
local state, newest_token, format, attempts, first = unpack(values, 1, FIRST_STARTED_FIELD - 1)
format, attempts = tonumber(format) or 1, tonumber(attempts) or 0
if state ~= 'claimed' or newest_token ~= token then return {} end
if format < limits.reads[1] or format > limits.reads[2] then return {format} end
local attempt = attempts + 1
-- What was put back unsent was no attempt, so the first may begin more than once.
if attempt == 1 or not first then first = NOW end
move(id, 'claimed', 'begun', 'first', first, 'attempts', whole(attempt), 'begun_token', token, 'begun', NOW)
call('ZADD', P .. 'leased', 'XX', whole(lease_now + limits.lease), id)
return {format, call('GET', P .. 'pay:' .. id) or '', attempt, first, unpack(values, FIRST_STARTED_FIELD)}
