-- purge: drops an invocation that has ended, for good.
-- uses: allow_when_full
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
--
-- Returns  1 it is gone, 0 it was not there or has not ended (nothing changed)
local P = KEYS[1]
local call = redis.call
local id = ARGV[2]
local state = call('HGET', P .. 'inv:' .. id, 'state')
if state ~= 'dead' and state ~= 'unknown' then return 0 end
call('ZREM', P .. state, id)
call('DEL', P .. 'inv:' .. id, P .. 'pay:' .. id, P .. 'att:' .. id)
call('HINCRBY', P .. 'counts', 'purged:' .. state, 1)
return 1
