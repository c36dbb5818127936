-- set_control: an operator pauses, resumes or limits a target or one of its lanes, or the mapping limits a target.
-- uses: allow_when_full, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  target
-- ARGV[3]  lane     or "" for the whole target
-- ARGV[4]  control  JSON {paused, rate, concurrency}, each key optional; "{}" removes the control
-- ARGV[5]  close    "1" closes its breaker too
-- ARGV[6]  source   "o" an operator's control, "m" the mapping's
--
-- Returns  1
local target, lane, control, close, source = unpack(ARGV, 2, 6)
local name = lane ~= '' and lane or target
local field = source .. ':' .. name
if control == '{}' then
  call('HDEL', CONTROLS, field)
  if source == 'o' then call('ZREM', OPERATOR_CONTROLLED, name) end
else
  call('HSET', CONTROLS, field, control)
  if source == 'o' then call('ZADD', OPERATOR_CONTROLLED, 0, name) else touch(name) end
end
-- The next start was computed from the old rate, which may have been one an hour.
local next = tonumber(call('HGET', P .. 'starts', target))
if next and next > now + 1000 then call('HSET', P .. 'starts', target, whole(now + 1000)) end
if close == '1' then call('HDEL', CONTROLS, 'b:' .. name) end
revisit(target, lane ~= '' and lane or nil)
return 1
