-- drill_pause: the one drill that may go on, and the target that it has paused. Used after limits_and_breaker.lua.
--
-- One hash, `drill`: `id` of the drill, `until` when it counts as dead unless it renews that (ms), and `target`, which
-- it has paused: there until that pause is taken back, or an operator pauses it too, whose word holds then.
local DRILL = P .. 'drill'

-- Whether a drill is there that has not lapsed.
local function drill_goes_on()
  return (tonumber(call('HGET', DRILL, 'until')) or 0) > now
end

-- Takes back the pause of the drill; the rest of an operator's control, and the breaker, stay as they are.
local function resume_drilled()
  local target = call('HGET', DRILL, 'target')
  if not target then return end
  call('HDEL', DRILL, 'target')
  local control = decode(call('HGET', CONTROLS, 'o:' .. target))
  control.paused = nil
  if next(control) == nil then
    call('HDEL', CONTROLS, 'o:' .. target)
    call('ZREM', OPERATOR_CONTROLLED, target)
  else
    call('HSET', CONTROLS, 'o:' .. target, cjson.encode(control))
  end
  revisit(target)
end
