-- set_control: an operator pauses, resumes or limits a target or one of its lanes, or the mapping limits it, from now on.
-- uses: allow_when_full, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  target
-- ARGV[3]  lane     or "" for the whole target
-- ARGV[4]  word     JSON {paused, rate, concurrency}, each key optional; "{}" takes the word back
-- ARGV[5]  close    "1" closes its breaker too
-- ARGV[6]  voice    "o" an operator's word, "m" the mapping's
--
-- Returns  1
local target, lane, word, close, voice = unpack(ARGV, 2, 6)
local name = lane ~= '' and lane or target
local field = voice .. ':' .. name
if word == '{}' then
  call('HDEL', GATES, field)
  if voice == 'o' then call('ZREM', SAID, name) end
else
  call('HSET', GATES, field, word)
  if voice == 'o' then call('ZADD', SAID, 0, name) else touch(name) end
end
-- The next start was reckoned with the rate until now, which may have been one an hour.
local next = tonumber(call('HGET', P .. 'starts', target))
if next and next > now + 1000 then call('HSET', P .. 'starts', target, whole(now + 1000)) end
if close == '1' then call('HDEL', GATES, 'b:' .. name) end
-- Whoever was set aside is looked at again.
if lane ~= '' and call('EXISTS', P .. 'wait:' .. lane) == 1 then
  call('ZADD', P .. 'lanes:' .. target, 'LT', whole(now), lane)
end
if call('EXISTS', P .. 'lanes:' .. target) == 1 then call('ZADD', P .. 'targets', 'LT', whole(now), target) end
return 1
