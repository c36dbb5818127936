-- report_waits: reports to Port, once per wait, what is ahead of runs that have waited for `limits.forecast` ms, and
-- until about when they wait.
-- uses: allow_when_full, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_reports  to write in this call
-- ARGV[3]  interval     between two looks at a lane, at least (ms); its pace is measured over it
--
-- Returns  how many reports were written
--
-- Claims add to `forecast` what they could not hand out (`must_wait` in dispatch.lua): lanes, and targets that stand
-- for all their lanes. So invocations that only wait for their turn cost nothing. The runs of a lane are reported on in
-- their order, and `foretold` stores how far that has come, in the same call as the reports: a crash neither loses nor
-- repeats one.
--   foretold  <score up to which they were reported>|<score>|<how many waited up to that score>|<when that was (ms)>
-- A report is the kind WAITING, then: why ("paused", "open", "pace" or "full"), how many are ahead, starts per second,
-- when about (ms by the wall clock, 0 if that is unknown). What does not fit in this call follows in later ones.
local MAX_LOOKS, MAX_LANES = 20, 50
local max_reports, interval = tonumber(ARGV[2]), tonumber(ARGV[3])
local FORECAST, FORETOLD = P .. 'forecast', P .. 'foretold'

-- Without those that wait for their turn in an order: no rate and no pace says when that is.
local UNTIL_NEVER = '(' .. whole(NEVER)

-- How many invocations of other lanes, with `waiting_beside` in each, start before the one of `rank` in its lane: lanes
-- take turns.
local function starts_beside(waiting_beside, rank)
  local sum = 0
  for _, waiting in ipairs(waiting_beside) do sum = sum + math.min(waiting, rank + 1) end
  return sum
end

-- When the later of two breakers lets its probe go; 0 if neither is open.
local function open_until(target_breaker, lane_breaker)
  local till = 0
  for _, breaker in ipairs({target_breaker or false, lane_breaker or false}) do
    if breaker and breaker.till > 0 and breaker.room == 0 then till = math.max(till, breaker.till, now) end
  end
  return till
end

-- What holds a lane back: why; the rate of its target; how many wait in each other lane that shares the rate; and until
-- when a breaker is open.
local function cause_of(lane, target)
  local target_text, lane_text, mapping_text, target_breaker, lane_breaker = unpack(call('HMGET', CONTROLS,
    'o:' .. target, 'o:' .. lane, 'm:' .. target, 'b:' .. target, 'b:' .. lane))
  local of_target, of_lane, mapping = decode(target_text), decode(lane_text), decode(mapping_text)
  if of_target.paused or of_lane.paused then return 'paused', 0, {}, 0 end
  local till = open_until(breaker_of(target_breaker), breaker_of(lane_breaker))
  if till > 0 then return 'open', 0, {}, till end
  local rate, waiting_beside = of_target.rate or mapping.rate or limits.rate, {}
  if rate > 0 then
    for _, other in ipairs(call('ZRANGE', P .. 'lanes:' .. target, 0, MAX_LANES - 1)) do
      if other ~= lane then waiting_beside[#waiting_beside + 1] = call('ZCARD', P .. 'wait:' .. other) end
    end
  end
  return 'pace', rate, waiting_beside, 0
end

-- Invocations of a lane that have waited long and were not reported on, with their scores; about `count`. The cursor is
-- a score, so it cannot stop between two of the same score: all of the last score are included.
local function unreported(wait, cursor, count)
  local horizon = string.format('%.1f', now - limits.forecast)
  local members = call('ZRANGEBYSCORE', wait, '(' .. cursor, horizon, 'WITHSCORES', 'LIMIT', 0, count)
  local last = members[#members]
  if last then
    local before = #members
    while before > 0 and members[before] == last do before = before - 2 end
    for n = #members, before + 1, -1 do members[n] = nil end
    for _, value in ipairs(call('ZRANGEBYSCORE', wait, last, last, 'WITHSCORES')) do members[#members + 1] = value end
  end
  return members
end

-- Starts per second since the last look: of `count` that waited up to `score` at the time `at`, how many have left
-- since. nil before the second look.
local function pace_of(wait, score, count, at)
  if not score or now <= at then return nil end
  return math.max(0, count - call('ZCOUNT', wait, '-inf', score)) * 1000 / (now - at)
end

-- The report on the run of `rank` in its lane.
local function report_item(cause, rank, rate, waiting_beside, pace, till)
  local ahead = rank
  if cause == 'pace' then
    local at, per_second = 0, 0
    if rate > 0 then
      ahead = rank + starts_beside(waiting_beside, rank)
      at, per_second = now + ahead * 1000 / rate, rate
    end
    -- The lane can be slower than the rate of its target, because of its concurrency: the later time counts.
    if pace and pace > 0 and now + rank * 1000 / pace > at then at, per_second = now + rank * 1000 / pace, pace end
    if per_second == 0 then return string.format(REPORT_WAITING .. 'full %d 0 0', ahead) end
    return string.format(REPORT_WAITING .. 'pace %d %.6g %.0f', ahead, per_second, at - lead)
  end
  return string.format(REPORT_WAITING .. '%s %d 0 %.0f', cause, ahead, math.max(0, till - lead))
end

-- Reports on one lane. Returns how many reports it wrote, about `count` at most.
local function report_lane(lane, count)
  local wait, target = P .. 'wait:' .. lane, string.match(lane, '^(%S+) ')
  if call('EXISTS', wait) == 0 then
    call('ZREM', FORECAST, lane)
    call('HDEL', FORETOLD, lane)
    return 0
  end
  local cursor, sample_score, sample_count, sample_at = string.match(call('HGET', FORETOLD, lane) or '',
    '^(.*)|(.*)|(.*)|(.*)$')
  cursor = cursor or '-inf'
  local cause, rate, waiting_beside, till = cause_of(lane, target)
  local pace = pace_of(wait, sample_score, tonumber(sample_count), tonumber(sample_at))
  local written = 0
  -- Without a rate only the pace says anything, and there is none before the second look.
  if cause ~= 'pace' or rate > 0 or pace then
    local members = unreported(wait, cursor, count)
    local rank = members[1] and call('ZRANK', wait, members[1])
    for n = 1, #members, 2 do
      local id, score = members[n], members[n + 1]
      local kind, closed = unpack(call('HMGET', P .. 'inv:' .. id, 'kind', 'closed'))
      if kind and kind ~= 'change_log' and not closed then
        report(id, {report_item(cause, rank, rate, waiting_beside, pace, till)}, now)
        written = written + 1
      end
      rank, cursor = rank + 1, score
    end
  end
  local last_score = call('ZREVRANGEBYSCORE', wait, UNTIL_NEVER, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or '-inf'
  local count = call('ZCOUNT', wait, '-inf', UNTIL_NEVER)
  call('HSET', FORETOLD, lane, string.format('%s|%s|%d|%d', cursor, last_score, count, now))
  local next_score = call('ZRANGEBYSCORE', wait, '(' .. cursor, UNTIL_NEVER, 'WITHSCORES', 'LIMIT', 0, 1)[2]
  local next_look = next_score and due_of(next_score) + limits.forecast or now + limits.forecast
  call('ZADD', FORECAST, whole(math.max(next_look, now + interval)), lane)
  return written
end

local written = 0
if limits.forecast == 0 then return written end
for _, member in ipairs(call('ZRANGEBYSCORE', FORECAST, '-inf', whole(now), 'LIMIT', 0, MAX_LOOKS)) do
  if written >= max_reports then break end
  if string.find(member, ' ', 1, true) then
    written = written + report_lane(member, max_reports - written)
  else
    call('ZREM', FORECAST, member)
    for _, lane in ipairs(call('ZRANGE', P .. 'lanes:' .. member, 0, MAX_LANES - 1)) do
      if lane ~= member .. SUSPECTS then call('ZADD', FORECAST, 'NX', whole(now), lane) end
    end
  end
end
if written > 0 then count_up('foretold', written) end
flush()
return written
