-- sweep: deletes what is kept of targets and lanes that are no longer in use, a bounded step at a time; and resumes the
-- target of a drill that died.
-- uses: allow_when_full, clock, transitions, limits_and_breaker, drill_pause
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  hash      gates | starts
-- ARGV[3]  cursor    where the step before ended; 0 begins
--
-- Returns  the cursor to go on with, 0 at the end
--
-- Names of targets come from payloads, so their number is unbounded. A start in the past means nothing. The mapping's
-- control and the breaker of a name go once it is unused for a while, unless something waits or is in flight there:
-- ingest sets the control again with the next message, see ingest/target_limits.py. Operators' controls stay.
local hash, cursor = ARGV[2], ARGV[3]
local UNUSED_MS, BATCH = 600000, 200

-- Whether nothing of it is under way, and no breaker of it is open for longer than that.
local function is_idle(name, breaker)
  if breaker and breaker.till > now then return false end
  if string.find(name, ' ', 1, true) then
    return call('EXISTS', P .. 'wait:' .. name) == 0 and call('HEXISTS', P .. 'busy:lane', name) == 0
  end
  -- A lane that an operator holds back is not in `lanes`, whatever waits in it: '!' is the character after ' '.
  return call('EXISTS', P .. 'lanes:' .. name) == 0 and call('HEXISTS', P .. 'busy:target', name) == 0
    and #call('ZRANGEBYLEX', OPERATOR_CONTROLLED, '[' .. name, '(' .. name .. '!', 'LIMIT', 0, 1) == 0
end

if not drill_goes_on() then resume_drilled() end
local next_cursor, fields = unpack(call('HSCAN', P .. hash, cursor, 'COUNT', BATCH))
for n = 1, #fields, 2 do
  local field, value = fields[n], fields[n + 1]
  if hash == 'starts' then
    if (tonumber(value) or 0) < now - UNUSED_MS then call('HDEL', P .. 'starts', field) end
  else -- an earlier version did not add it to the sorted sets
    local name = string.sub(field, 3)
    if string.sub(field, 1, 1) == 'o' then
      call('ZADD', OPERATOR_CONTROLLED, 0, name)
    else
      call('ZADD', LAST_USED, 'NX', NOW, name)
    end
  end
end
for _, name in ipairs(call('ZRANGEBYSCORE', LAST_USED, '-inf', whole(now - UNUSED_MS), 'LIMIT', 0, BATCH)) do
  if is_idle(name, breaker_of(call('HGET', CONTROLS, 'b:' .. name))) then
    call('HDEL', CONTROLS, 'm:' .. name, 'b:' .. name)
    call('ZREM', LAST_USED, name)
  else
    touch(name)
  end
end
return next_cursor
