-- lease_acks: gives runs whose claim is to be acknowledged to Port to one process, which asks Port at once.
-- uses: allow_when_full, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_runs  to lease at most
-- ARGV[3]  lease     in ms, after which they are given to somebody else
--
-- Returns  {id, kind, run, token, first, ...}    flat; first: "1" if no acknowledgement before can have reached Port
--
-- From here on Port may have heard it. A crash before it is settled leaves the lease, which lapses: the next one who
-- asks is not the first any more, and a refusal then says nothing, as it may be the answer to our own.
local max_runs, lease = unpack(ARGV, 2, 3)
local rows = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'acks', '-inf', whole(lease_now), 'LIMIT', 0, max_runs)) do
  local record = P .. 'inv:' .. id
  local kind, run = unpack(call('HMGET', record, 'kind', 'run'))
  if kind then
    call('ZADD', P .. 'acks', whole(lease_now + lease), id)
    local token = call('HINCRBY', record, 'asks', 1)
    local first = call('HSETNX', record, 'asked', token) == 1
    for _, value in ipairs({id, kind, run, token, first and '1' or ''}) do rows[#rows + 1] = value end
  else
    call('ZREM', P .. 'acks', id)
  end
end
return rows
