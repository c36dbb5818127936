-- purge: drops an invocation that has ended, for good.
-- uses: allow_when_full, discard
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
--
-- Returns  1 it is gone, 0 it was not there or has not ended (nothing changed)
local id = ARGV[2]
local state, order = unpack(call('HMGET', P .. 'inv:' .. id, 'state', 'order'))
if state ~= 'dead' and state ~= 'unknown' then return 0 end
call('HINCRBY', P .. 'counts', 'purged:' .. state, 1)  -- first, as it fails where that is no number
discard(id, state, order)
return 1
