-- renew_reports: the sender of these reports is still at work on them.
-- uses: room, clock, common
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token       of take_reports, or of the last renewal
-- ARGV[4]  lease (ms)  from now
--
-- Returns  the new token, or "" if the lease had lapsed and somebody else may have them (nothing changed)
local id = ARGV[2]
if call('ZSCORE', P .. 'outbox:leased', id) ~= ARGV[3] then return '' end
local token = whole(lease_now + tonumber(ARGV[4]))
call('ZADD', P .. 'outbox:leased', token, id)
return token
