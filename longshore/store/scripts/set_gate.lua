-- set_gate: an operator pauses, resumes or limits a target or one of its lanes, or the mapping limits it, from now on.
-- uses: room, clock, common, gates
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  target
-- ARGV[3]  lane     or "" for the whole target
-- ARGV[4]  word     JSON {paused, rate, concurrency}, each key optional; "{}" takes the word back
-- ARGV[5]  close    "1" closes its breaker too
-- ARGV[6]  whose    "o" an operator's word, "m" the mapping's
--
-- Returns  1
local name = ARGV[3] ~= '' and ARGV[3] or ARGV[2]
local field = ARGV[6] .. ':' .. name
if ARGV[4] == '{}' then
  call('HDEL', GATES, field)
  if ARGV[6] == 'o' then call('ZREM', SAID, name) end
else
  call('HSET', GATES, field, ARGV[4])
  if ARGV[6] == 'o' then call('ZADD', SAID, 0, name) else touch(name) end
end
-- The next start was reckoned with the rate until now, which may have been one an hour.
local next = tonumber(call('HGET', P .. 'starts', ARGV[2]))
if next and next > now + 1000 then call('HSET', P .. 'starts', ARGV[2], whole(now + 1000)) end
if ARGV[5] == '1' then call('HDEL', GATES, 'b:' .. name) end
-- Whoever was set aside is looked at again.
if ARGV[3] ~= '' and call('EXISTS', P .. 'wait:' .. ARGV[3]) == 1 then
  call('ZADD', P .. 'lanes:' .. ARGV[2], 'LT', whole(now), ARGV[3])
end
if call('EXISTS', P .. 'lanes:' .. ARGV[2]) == 1 then call('ZADD', P .. 'targets', 'LT', whole(now), ARGV[2]) end
return 1
