-- clock: what every script begins with: the limits, the time, the lease clock.
--
-- KEYS[1]  prefix    of all names; the key names are in longshore/ledger/keys.py
-- ARGV[1]  limits    as longshore/ledger/limits.py packs them
--
-- Time is Redis's own (ms), but never goes back: where Redis's clock does (it was set, or another node took over), the
-- ledger's time stays ahead of it and lets it catch up, running a tenth slower meanwhile. So what was due in a second
-- is due in a second, whatever stands in a score: waits, reports, breakers, rates, jobs. clock.py computes the same.
--
-- Leases run on the lease clock. It advances by at most LONGEST_TICK from one script to the next, so it stands still
-- during an outage of Redis or of the fleet, or a jump of the machine's time, and no outage lapses all leases at once.

local P = KEYS[1]
local call = redis.call

local function parse_limits(lease, ahead, rate, target, lane, late, breaker_failures, breaker_open, breaker_longest,
    suspect, report_delay, forecast, keep_done, keep_payload, keep_dead, keep_dead_count, history, port_rate, open,
    first_read, last_read, layout)
  return {lease = lease, ahead = ahead, rate = rate, target = target, lane = lane, late = late,
    breaker_failures = breaker_failures, breaker_open = breaker_open, breaker_longest = breaker_longest,
    suspect = suspect, report_delay = report_delay, forecast = forecast, keep_done = keep_done,
    keep_payload = keep_payload, keep_dead = keep_dead, keep_dead_count = keep_dead_count, history = history,
    port_rate = port_rate, open = open == 1, reads = {first_read, last_read}, layout = layout}
end

local limits = parse_limits(struct.unpack('<dddddddddddddddddddddd', ARGV[1]))

local time = call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)

-- Scores below this are turns, above it times in ms: a visit that is due beats one that lies ahead.
local TURNS = 1e12

-- What share of the time that passes the wall clock catches up.
local CATCH_UP = 0.1

-- The longest step of the lease clock (ms), ten pump intervals; and the shortest that is worth a write.
local LONGEST_TICK, SHORTEST_TICK = 2000, 100

local function whole(number)
  return string.format('%d', number)
end

-- A later time is none (ms): somebody else has written it.
local LATEST = 1e13

-- The time that `text` says, nil if it says none.
local function time_of(text)
  local ms = tonumber(text)
  return ms and ms >= 0 and ms < LATEST and ms or nil
end

-- A number that is only counted up and down; 0 where somebody else has written something else in its place.
local function number_in(key, field)
  local text = redis.pcall('HGET', key, field)
  local number = type(text) == 'string' and tonumber(string.match(text, '^%d+$'))
  return number and number < LATEST and number or 0
end

-- Adds to such a number, which is counted from 0 again where it is none: it must not stop all that is counted in it.
-- Returns the sum.
local function add_to(key, field, number)
  local sum = redis.pcall('HINCRBY', key, field, number)
  if type(sum) == 'number' then return sum end
  if string.find(sum.err, 'WRONGTYPE', 1, true) then
    call('DEL', key)
  elseif not (string.find(sum.err, 'not an integer', 1, true) or string.find(sum.err, 'overflow', 1, true)) then
    error(sum.err, 0)
  end
  sum = math.max(0, number)
  call('HSET', key, field, whole(sum))
  return sum
end

local LAYOUT = whole(limits.layout)
local clock = redis.pcall('HMGET', P .. 'clock', 'last', 'lease', 'layout', 'lead', 'ordered')
if clock.err then
  if not string.find(clock.err, 'WRONGTYPE', 1, true) then return clock end
  call('DEL', P .. 'clock')
  clock = {}
  if call('EXISTS', P .. 'orders') == 1 then
    clock[5] = '1'
    call('HSET', P .. 'clock', 'ordered', clock[5])
  end
end
if clock[3] and clock[3] ~= LAYOUT then
  return redis.error_reply('LAYOUT the ledger is of layout ' .. clock[3] .. ', this program works with ' .. LAYOUT)
end

-- The ledger's time, how far it is ahead of the wall clock, and the lease clock.
local now, lead, lease_now
do
  local last, lease = time_of(clock[1]), time_of(clock[2])
  -- Without it, it goes on where the first lease ends: none lapses early, and none never does.
  if not lease then lease = time_of(call('ZRANGE', P .. 'leased', 0, 0, 'WITHSCORES')[2]) or 0 end
  local passed = wall - (last or wall)
  lead = (time_of(clock[4]) or 0) - (passed < 0 and passed or passed * CATCH_UP)
  lead = math.max(0, math.floor(lead))
  now = wall + lead
  local step = math.max(0, math.min(passed, LONGEST_TICK))
  lease_now = lease + step
  if step >= SHORTEST_TICK or passed < 0 or not last or not clock[3] then
    call('HSET', P .. 'clock', 'last', whole(wall), 'lease', whole(lease_now), 'layout', LAYOUT, 'lead', whole(lead))
  end
end

local NOW = whole(now)

-- Whether a mapping has ever asked for an order, see order.lua.
local ordered = clock[5]
