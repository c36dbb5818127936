-- limits_and_breaker: what holds a target or a lane back: an operator's pause and limits, the mapping's limits, and the
-- breaker. Used after transitions.lua, before round_robin.lua.
--
-- One hash, `gates`: `o:<name>` an operator's control and `m:<name>` the mapping's, JSON {paused, rate, concurrency},
-- each key optional; `b:<name>` the breaker, there only while something is wrong:
--   <failures in a row>|<open until (ms), 0 closed>|<length of this opening (ms)>|<room while it ramps up>|<probe's id>
--
-- A breaker opens after `breaker_failures` faults in a row, for longer each time. When its time is over, one invocation
-- may start, the probe. If it succeeds, two may be in flight, then four, and so on until the breaker is deleted; if it
-- fails, or is lost with its worker, the breaker opens again.
local CONTROLS = P .. 'gates'

-- Two sorted sets list its names, so that nobody scans the hash: `said`, those with an operator's control; `used`,
-- those with a mapping's control or a breaker, scored with their last use (see sweep).
local OPERATOR_CONTROLLED, LAST_USED = P .. 'said', P .. 'used'

local function touch(name)
  call('ZADD', LAST_USED, NOW, name)
end

-- Room at which a breaker that ramps up is deleted.
local FULL_ROOM = 64

-- Whether there is any control or breaker; usually there is none, which spares the HMGETs. Read once per script.
local has_controls

local function any_controls()
  if has_controls == nil then has_controls = call('HLEN', CONTROLS) > 0 end
  return has_controls
end

-- The values of several fields, nil for those that are not there.
local function controls_of(...)
  return any_controls() and call('HMGET', CONTROLS, ...) or {}
end

-- What cannot be read holds nothing back: one damaged field must not stop the visits of all other targets.
local function decode(text)
  if not text then return {} end
  local is_json, values = pcall(cjson.decode, text)
  if not is_json or type(values) ~= 'table' then return {} end
  for _, name in ipairs({'rate', 'concurrency'}) do
    if type(values[name]) ~= 'number' then values[name] = nil end
  end
  if values.paused ~= true then values.paused = nil end
  return values
end

local function breaker_of(text)
  if not text then return nil end
  local failures, till, pause, room, probe = string.match(text, '^(%d+)|(%d+)|(%d+)|(%d+)|(.*)$')
  failures, till, pause, room = tonumber(failures), tonumber(till), tonumber(pause), tonumber(room)
  if not room then return nil end
  if till > now + pause then till = now end -- set before the clock went back: no opening lasts longer than `pause`
  return {failures = failures, till = till, pause = pause, room = room, probe = probe}
end

-- Breakers by name, each read once per script; false where there is none.
local breakers = {}

local function breaker_named(name)
  if breakers[name] == nil then
    breakers[name] = any_controls() and breaker_of(call('HGET', CONTROLS, 'b:' .. name)) or false
  end
  return breakers[name] or nil
end

local function delete_breaker(name)
  breakers[name] = false
  call('HDEL', CONTROLS, 'b:' .. name)
end

local function save_breaker(name, b)
  has_controls = true
  breakers[name] = b
  touch(name)
  call('HSET', CONTROLS, 'b:' .. name,
    string.format('%d|%d|%d|%d|%s', b.failures, b.till, b.pause, b.room, b.probe))
end

-- How many more may start where `busy` are in flight and `max` may be. Returns the number; if it is 0, also the time to
-- look again (ms), or nil where the end of an attempt or an operator brings it back; and whether the one that may start
-- is a probe.
local function room_of(busy, max, operator, mapping, b)
  if operator.paused then return 0 end
  max = operator.concurrency or mapping.concurrency or max
  if b and b.till > 0 then
    if b.till > now then return 0, b.till end
    if b.room > 0 then return math.max(0, math.min(max, b.room) - busy) end
    if b.probe ~= '' then return 0 end
    return 1, nil, true
  end
  return math.max(0, max - busy)
end

-- Has what was taken off the round visited again: the target, and `lane` of it unless that is nil.
local function revisit(target, lane)
  if lane and call('EXISTS', P .. 'wait:' .. lane) == 1 then
    call('ZADD', P .. 'lanes:' .. target, 'LT', whole(now), lane)
  end
  if call('EXISTS', P .. 'lanes:' .. target) == 1 then call('ZADD', P .. 'targets', 'LT', whole(now), target) end
end

-- `id` has started as the probe of the breaker of `name`.
local function mark_probe(name, id)
  local b = breaker_named(name)
  b.probe = id
  save_breaker(name, b)
end

-- Feeds the breaker of `name` with the end of an attempt on `id`: 'well', 'fault', or '' (nothing: it was not tried).
local function observe(name, id, signal)
  local b = breaker_named(name)
  if not b and signal ~= 'fault' then return end
  b = b or {failures = 0, till = 0, pause = 0, room = 0, probe = ''}
  local is_probe = b.probe == id
  if signal == 'fault' then
    b.failures = b.failures + 1
    local half_open = b.till > 0 and b.till <= now and (is_probe or b.room > 0)
    if half_open or (b.till == 0 and b.failures >= limits.breaker_failures) then
      b.pause = math.min(b.pause == 0 and limits.breaker_open or b.pause * 2, limits.breaker_longest)
      b.till, b.room, b.probe = now + b.pause, 0, ''
      count_up('breaker_opened')
    elseif b.till > 0 and not is_probe then
      return  -- it began before the breaker opened, so it says nothing new
    end
    return save_breaker(name, b)
  end
  if signal == '' then
    if is_probe then
      b.probe = ''
      save_breaker(name, b)
    end
    return
  end
  if b.till == 0 then return delete_breaker(name) end
  if b.till > now or not (is_probe or b.room > 0) then return end
  b.failures, b.probe, b.room = 0, '', math.max(2, b.room * 2)
  if b.room >= FULL_ROOM then return delete_breaker(name) end
  save_breaker(name, b)
end
