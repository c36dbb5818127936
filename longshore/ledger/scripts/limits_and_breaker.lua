-- limits_and_breaker: what holds a target or a lane back besides its room: an operator's pause and limits, the mapping's limits, and
-- the breaker. Used after transitions.lua, before round_robin.lua.
--
-- One hash, `gates`: `o:<name>` an operator's word and `m:<name>` the mapping's, JSON {paused, rate, concurrency}, each
-- key optional; `b:<name>` the breaker, there only while something is wrong:
--   <failures in a row>|<open until (ms), 0 closed>|<length of this opening (ms)>|<room while it ramps up>|<probe's id>
--
-- A breaker opens after so many faults in a row, for longer each time. When its time is over one invocation may go, the
-- probe. Its success lets two at once go, then four, and so on until the breaker is forgotten; its failure, and its
-- death with its worker, opens it again.
local GATES = P .. 'gates'

-- Beside it two sorted sets tell what there is without a look at all of it: `said`, the names that an operator said
-- something of; `used`, the names with a mapping's word or a breaker, scored with when they were used last (see sweep).
local SAID, USED = P .. 'said', P .. 'used'

local function touch(name)
  call('ZADD', USED, NOW, name)
end

-- Room at which a breaker that ramps up is forgotten.
local FULL_ROOM = 64

-- Whether anything is held back at all; usually not, and then nobody needs to look who. Read once per script.
local gated

local function any_gates()
  if gated == nil then gated = call('HLEN', GATES) > 0 end
  return gated
end

-- What is said of several names, one field each; nothing of anybody where nothing is held back.
local function gates_of(...)
  return any_gates() and call('HMGET', GATES, ...) or {}
end

local function decoded(text)
  return text and cjson.decode(text) or {}
end

local function breaker_of(text)
  if not text then return nil end
  local failures, till, pause, room, probe = string.match(text, '^(%d+)|(%d+)|(%d+)|(%d+)|(.*)$')
  failures, till, pause, room = tonumber(failures), tonumber(till), tonumber(pause), tonumber(room)
  if till > now + pause then till = now end -- of another time: no opening is longer than it was made
  return {failures = failures, till = till, pause = pause, room = room, probe = probe}
end

local function keep(name, b)
  gated = true
  touch(name)
  call('HSET', GATES, 'b:' .. name,
    string.format('%d|%d|%d|%d|%s', b.failures, b.till, b.pause, b.room, b.probe))
end

-- How many more may start where `busy` are in flight and `most` may be. Returns the number; when it is 0, also the time
-- to look again (ms), or nil where the end of an attempt or an operator brings it back; and whether the one that may
-- start is a probe.
local function room_of(busy, most, operator, mapping, b)
  if operator.paused then return 0 end
  most = operator.concurrency or mapping.concurrency or most
  if b and b.till > 0 then
    if b.till > now then return 0, b.till end
    if b.room > 0 then return math.max(0, math.min(most, b.room) - busy) end
    if b.probe ~= '' then return 0 end
    return 1, nil, true
  end
  return math.max(0, most - busy)
end

-- One was started although the breaker of `name` is not closed.
local function sent_as_probe(name, id)
  local b = breaker_of(call('HGET', GATES, 'b:' .. name))
  b.probe = id
  keep(name, b)
end

-- What the end of an attempt says about `name`: 'well', 'fault', or '' (nothing: it was not tried).
local function observe(name, id, said)
  local b = any_gates() and breaker_of(call('HGET', GATES, 'b:' .. name)) or nil
  if not b and said ~= 'fault' then return end
  b = b or {failures = 0, till = 0, pause = 0, room = 0, probe = ''}
  local mine = b.probe == id
  if said == 'fault' then
    b.failures = b.failures + 1
    local half_open = b.till > 0 and b.till <= now and (mine or b.room > 0)
    if half_open or (b.till == 0 and b.failures >= limits.breaker_failures) then
      b.pause = math.min(b.pause == 0 and limits.breaker_open or b.pause * 2, limits.breaker_longest)
      b.till, b.room, b.probe = now + b.pause, 0, ''
      call('HINCRBY', P .. 'counts', 'breaker_opened', 1)
    elseif b.till > 0 and not mine then
      return  -- one that began before it opened: it knows no more than the breaker does
    end
    return keep(name, b)
  end
  if said == '' then
    if mine then
      b.probe = ''
      keep(name, b)
    end
    return
  end
  if b.till == 0 then return call('HDEL', GATES, 'b:' .. name) end
  if b.till > now or not (mine or b.room > 0) then return end
  b.failures, b.probe, b.room = 0, '', math.max(2, b.room * 2)
  if b.room >= FULL_ROOM then return call('HDEL', GATES, 'b:' .. name) end
  keep(name, b)
end
