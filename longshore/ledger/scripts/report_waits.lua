-- report_waits: has Port told, once per wait, what is ahead of runs that have waited for `forecast` ms, and until when about.
-- uses: allow_when_full, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  most        lines to write in this call
-- ARGV[3]  span (ms)   from one look at a lane to the next, at least; over it its pace is measured
--
-- Returns  how many lines were written
--
-- Claims put into `forecast` what they could not hand out (see must_wait): lanes, and targets that stand for all their
-- lanes. Who waits for nothing else than a turn costs nothing. Runs of a lane are told in their order, and `foretold`
-- keeps how far that has come, in the same call as the lines: a crash neither loses nor repeats one.
--   foretold  <score up to which they were told>|<score>|<how many waited up to that score>|<when that was (ms)>
-- A line is the kind WAITING, then: why ("paused", "open", "pace" or "full"), how many are ahead, starts per second, when about (ms
-- by the wall clock, 0 for nobody knows). Later lanes and later runs have their turn in later calls: what is ahead shrinks
-- meanwhile.
local MOST_LOOKS, MOST_LANES = 20, 50
local most, span = tonumber(ARGV[2]), tonumber(ARGV[3])
local FORECAST, FORETOLD = P .. 'forecast', P .. 'foretold'

-- How many of other lanes start before the run that is `rank`th in its lane: lanes take turns.
local function beside(others, rank)
  local sum = 0
  for _, waiting in ipairs(others) do sum = sum + math.min(waiting, rank + 1) end
  return sum
end

-- What holds a lane back: why, rate of its target, and how many wait in the other lanes that share this rate.
local function held_by(lane, target)
  local g = call('HMGET', GATES, 'o:' .. target, 'o:' .. lane, 'm:' .. target, 'b:' .. target, 'b:' .. lane)
  local of_target, of_lane, mapping = decoded(g[1]), decoded(g[2]), decoded(g[3])
  if of_target.paused or of_lane.paused then return 'paused', 0, {}, 0 end
  local till = 0
  for _, b in ipairs({breaker_of(g[4]) or false, breaker_of(g[5]) or false}) do
    if b and b.till > 0 and b.room == 0 then till = math.max(till, b.till, now) end
  end
  if till > 0 then return 'open', 0, {}, till end
  local rate, others = of_target.rate or mapping.rate or limits.rate, {}
  if rate > 0 then
    for _, other in ipairs(call('ZRANGE', P .. 'lanes:' .. target, 0, MOST_LANES - 1)) do
      if other ~= lane then others[#others + 1] = call('ZCARD', P .. 'wait:' .. other) end
    end
  end
  return 'pace', rate, others, 0
end

-- Those of a lane that have waited long and were not told, with their scores. All with the same score or none of them.
local function untold(wait, cursor, want)
  local horizon = string.format('%.1f', now - limits.forecast)
  local found = call('ZRANGEBYSCORE', wait, '(' .. cursor, horizon, 'WITHSCORES', 'LIMIT', 0, want)
  local last = found[#found]
  if last then
    local before = #found
    while before > 0 and found[before] == last do before = before - 2 end
    for n = #found, before + 1, -1 do found[n] = nil end
    for _, value in ipairs(call('ZRANGEBYSCORE', wait, last, last, 'WITHSCORES')) do found[#found + 1] = value end
  end
  return found
end

-- Starts per second as seen since the last look, nil where there was none.
local function pace_of(wait, score, count, at)
  if not score or now <= at then return nil end
  return math.max(0, count - call('ZCOUNT', wait, '-inf', score)) * 1000 / (now - at)
end

-- What the run that is `rank`th in its lane is told.
local function line(why, rank, rate, others, pace, till)
  local ahead = rank
  if why == 'pace' then
    local at, shown = 0, 0
    if rate > 0 then
      ahead = rank + beside(others, rank)
      at, shown = now + ahead * 1000 / rate, rate
    end
    -- Fewer in flight than the rate would have: then it is the slower of the two.
    if pace and pace > 0 and now + rank * 1000 / pace > at then at, shown = now + rank * 1000 / pace, pace end
    if shown == 0 then return string.format(REPORT_WAITING .. 'full %d 0 0', ahead) end
    return string.format(REPORT_WAITING .. 'pace %d %.6g %.0f', ahead, shown, at - lead)
  end
  return string.format(REPORT_WAITING .. '%s %d 0 %.0f', why, ahead, math.max(0, till - lead))
end

-- Looks at one lane. Returns how many lines it took.
local function look(lane, want)
  local wait, target = P .. 'wait:' .. lane, string.match(lane, '^(%S+) ')
  if call('EXISTS', wait) == 0 then
    call('ZREM', FORECAST, lane)
    call('HDEL', FORETOLD, lane)
    return 0
  end
  local cursor, score, count, at = string.match(call('HGET', FORETOLD, lane) or '', '^(.*)|(.*)|(.*)|(.*)$')
  cursor = cursor or '-inf'
  local why, rate, others, till = held_by(lane, target)
  local pace = pace_of(wait, score, tonumber(count), tonumber(at))
  local told = 0
  -- Without a rate the pace is all there is to go by, and it shows with the second look.
  if why ~= 'pace' or rate > 0 or pace then
    local found = untold(wait, cursor, want)
    local rank = found[1] and call('ZRANK', wait, found[1])
    for n = 1, #found, 2 do
      local id = found[n]
      local r = call('HMGET', P .. 'inv:' .. id, 'kind', 'closed')
      if r[1] and r[1] ~= 'change_log' and not r[2] then
        report(id, {line(why, rank, rate, others, pace, till)}, now)
        told = told + 1
      end
      rank, cursor = rank + 1, found[n + 1]
    end
  end
  local last = call('ZREVRANGE', wait, 0, 0, 'WITHSCORES')[2]
  call('HSET', FORETOLD, lane, string.format('%s|%s|%d|%d', cursor, last, call('ZCARD', wait), now))
  local following = call('ZRANGEBYSCORE', wait, '(' .. cursor, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  local again = following and due_of(following) + limits.forecast or now + limits.forecast
  call('ZADD', FORECAST, whole(math.max(again, now + span)), lane)
  return told
end

local told = 0
if limits.forecast == 0 then return told end
for _, member in ipairs(call('ZRANGEBYSCORE', FORECAST, '-inf', whole(now), 'LIMIT', 0, MOST_LOOKS)) do
  if told >= most then break end
  if string.find(member, ' ', 1, true) then
    told = told + look(member, most - told)
  else
    call('ZREM', FORECAST, member)
    for _, lane in ipairs(call('ZRANGE', P .. 'lanes:' .. member, 0, MOST_LANES - 1)) do
      if lane ~= member .. SUSPECTS then call('ZADD', FORECAST, 'NX', whole(now), lane) end
    end
  end
end
if told > 0 then call('HINCRBY', P .. 'counts', 'foretold', told) end
return told
