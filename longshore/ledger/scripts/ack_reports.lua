-- ack_reports: deletes reports that were leased, all or some; the rest is due after a delay.
-- uses: allow_when_full, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token       of lease_reports
-- ARGV[4]  leased      how many items lease_reports returned
-- ARGV[5]  delay       before the rest is tried again (ms)
-- ARGV[6]  failed      "1" if this try failed
-- ARGV[7..] items      of those leased, the ones still to be sent, in order
--
-- Returns  1, or 0 if the lease had lapsed and somebody else has it (nothing changed)
local id, token, leased, delay, failed = unpack(ARGV, 2, 6)
local FIRST_ITEM = 7
if call('ZSCORE', P .. 'outbox:leased', id) ~= token then return 0 end
call('ZREM', P .. 'outbox:leased', id)
call('LTRIM', P .. 'out:' .. id, tonumber(leased), -1)
for n = #ARGV, FIRST_ITEM, -1 do call('LPUSH', P .. 'out:' .. id, ARGV[n]) end
if failed == '1' then
  call('HINCRBY', P .. 'outbox:tries', id, 1)
else
  call('HDEL', P .. 'outbox:tries', id)
end
if call('EXISTS', P .. 'out:' .. id) == 1 then
  call('ZADD', P .. 'outbox', whole(now + tonumber(delay)), id)
else
  call('ZREM', P .. 'outbox:since', id)
end
return 1
