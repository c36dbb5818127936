-- settle_reports: the reports that were taken are dealt with, all or some; the rest is due after a delay.
-- uses: room, clock, common
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token       of take_reports
-- ARGV[4]  taken       how many items take_reports gave
-- ARGV[5]  delay (ms)  before the rest is tried again
-- ARGV[6]  failed      "1" if this try failed
-- ARGV[7..] items      of those taken, the ones still to be sent, in order
--
-- Returns  1, or 0 if the lease had lapsed and somebody else has it (nothing changed)
local id = ARGV[2]
if call('ZSCORE', P .. 'outbox:leased', id) ~= ARGV[3] then return 0 end
call('ZREM', P .. 'outbox:leased', id)
call('LTRIM', P .. 'out:' .. id, tonumber(ARGV[4]), -1)
for n = #ARGV, 7, -1 do call('LPUSH', P .. 'out:' .. id, ARGV[n]) end
if ARGV[6] == '1' then
  call('HINCRBY', P .. 'outbox:tries', id, 1)
else
  call('HDEL', P .. 'outbox:tries', id)
end
if call('EXISTS', P .. 'out:' .. id) == 1 then
  call('ZADD', P .. 'outbox', whole(now + tonumber(ARGV[5])), id)
else
  call('ZREM', P .. 'outbox:since', id)
end
return 1
