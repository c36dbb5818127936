-- renew_reports: the sender of these reports is still at work on them.
-- uses: allow_when_full, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  token       of lease_reports, or of the last renewal
-- ARGV[4]  lease       from now (ms)
--
-- Returns  the new token, or "" if the lease had lapsed and somebody else may have them (nothing changed)
local id, token, lease = unpack(ARGV, 2, 4)
if call('ZSCORE', P .. 'outbox:leased', id) ~= token then return '' end
local renewed = whole(lease_now + tonumber(lease))
call('ZADD', P .. 'outbox:leased', renewed, id)
return renewed
