-- drill: pauses one target for a drill, and resumes it. One drill at a time; of one that says no more, sweep does that.
-- uses: allow_when_full, clock, transitions, limits_and_breaker, drill_pause
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  act     begin | renew | resume | end | yield: an operator pauses the target too
-- ARGV[3]  id      of the drill; "" to yield
-- ARGV[4]  target
-- ARGV[5]  lease   for how long it goes on without another word (ms)
--
-- Returns  "ok"; or why it does not begin: "drill", another one goes on; "paused", the target is paused already
local act, id, target, lease = unpack(ARGV, 2, 5)
if act == 'yield' then
  if call('HGET', DRILL, 'target') == target then call('HDEL', DRILL, 'target') end
  return 'ok'
end
if act == 'begin' then
  if drill_goes_on() then return 'drill' end
  resume_drilled()
  local control = decode(call('HGET', CONTROLS, 'o:' .. target))
  if control.paused then return 'paused' end
  control.paused = true
  call('HSET', CONTROLS, 'o:' .. target, cjson.encode(control))
  call('ZADD', OPERATOR_CONTROLLED, 0, target)
  call('HSET', DRILL, 'id', id, 'until', whole(now + lease), 'target', target)
elseif call('HGET', DRILL, 'id') == id then
  if act == 'renew' then call('HSET', DRILL, 'until', whole(now + lease)) end
  if act ~= 'renew' then resume_drilled() end
  if act == 'end' then call('DEL', DRILL) end
end
return 'ok'
