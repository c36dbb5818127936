-- take_reports: leases the reports of some invocations to one sender.
-- uses: common
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  most        invocations to take
-- ARGV[3]  lease (ms)  after which somebody else may send them
--
-- Returns  {{id, token, kind, run, synchronized, tries, item, ...}, ...}
--
-- A sender that dies leaves them here: they are sent again after the lease, in order, perhaps twice.
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'outbox:leased', '-inf', '(' .. whole(lease_now), 'LIMIT', 0, 100)) do
  call('ZREM', P .. 'outbox:leased', id)
  call('ZADD', P .. 'outbox', whole(now), id)
end
local taken = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'outbox', '-inf', whole(now), 'LIMIT', 0, tonumber(ARGV[2]))) do
  call('ZREM', P .. 'outbox', id)
  local r = call('HMGET', P .. 'inv:' .. id, 'kind', 'run', 'synchronized')
  local items = call('LRANGE', P .. 'out:' .. id, 0, 199)
  if r[1] and #items > 0 then
    local token = whole(lease_now + tonumber(ARGV[3]))
    call('ZADD', P .. 'outbox:leased', token, id)
    local row = {id, token, r[1], r[2], r[3], call('HGET', P .. 'outbox:tries', id) or '0'}
    for _, item in ipairs(items) do row[#row + 1] = item end
    taken[#taken + 1] = row
  else
    -- The record has expired (Port was away for longer than it is kept): nobody can be told any more.
    call('DEL', P .. 'out:' .. id)
    call('HDEL', P .. 'outbox:tries', id)
    call('HINCRBY', P .. 'counts', 'reports_expired', #items)
  end
end
return taken
