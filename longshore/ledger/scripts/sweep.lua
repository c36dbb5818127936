-- sweep: drops what is kept of targets and lanes that are used no longer, a bounded step at a time.
-- uses: allow_when_full, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  hash      gates | starts
-- ARGV[3]  cursor    where the step before ended; 0 begins
--
-- Returns  the cursor to go on with, 0 at the end
--
-- Targets come from payloads, so their number has no natural end. A start that lies behind says nothing. The mapping's
-- word and the breaker of what nobody has used for a while go, unless something waits or is in flight there: ingest says
-- its word again with the next message, see ingest/target_limits.py. Operators' words stay.
local UNUSED, AT_ONCE = 600000, 200

-- Whether nothing of it is under way, and no breaker of it is open for longer than that.
local function is_idle(name, breaker)
  if breaker and breaker.till > now then return false end
  if string.find(name, ' ', 1, true) then
    return call('EXISTS', P .. 'wait:' .. name) == 0 and call('HEXISTS', P .. 'busy:lane', name) == 0
  end
  -- Lanes that an operator holds back stand in no round, whatever waits in them.
  return call('EXISTS', P .. 'lanes:' .. name) == 0 and call('HEXISTS', P .. 'busy:target', name) == 0
    and #call('ZRANGEBYLEX', SAID, '[' .. name, '(' .. name .. '!', 'LIMIT', 0, 1) == 0
end

local found = call('HSCAN', P .. ARGV[2], ARGV[3], 'COUNT', AT_ONCE)
for n = 1, #found[2], 2 do
  local field = found[2][n]
  if ARGV[2] == 'starts' then
    if tonumber(found[2][n + 1]) < now - UNUSED then call('HDEL', P .. 'starts', field) end
  else -- an earlier version left it out of what tells of it
    local name = string.sub(field, 3)
    if string.sub(field, 1, 1) == 'o' then
      call('ZADD', SAID, 0, name)
    else
      call('ZADD', USED, 'NX', NOW, name)
    end
  end
end
for _, name in ipairs(call('ZRANGEBYSCORE', USED, '-inf', whole(now - UNUSED), 'LIMIT', 0, AT_ONCE)) do
  if is_idle(name, breaker_of(call('HGET', GATES, 'b:' .. name))) then
    call('HDEL', GATES, 'm:' .. name, 'b:' .. name)
    call('ZREM', USED, name)
  else
    touch(name)
  end
end
return found[1]
