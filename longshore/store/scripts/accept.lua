-- accept: stores a batch read from Kafka, once, and claims what may start at once.
-- uses: clock, common, gates, round, hand_out(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  want       most invocations to claim
-- ARGV[3]  spans      JSON list of what was read: {partition key ("topic/n"), first, next, expected or -1,
--          {reason: count}, way, newest}. way: "read"; "anew" sets the next offset back, for a partition that was made
--          anew; "beside" leaves it alone, for a reader that is not the group's. newest: timestamp (ms), 0 for none
-- ARGV[4]  name       for this ledger, if it has none yet
-- ARGV[5]  format     of the records to write
-- ARGV[6]  entries    how many follow, 15 values each and then the reports:
--          id, kind, run, target, lane, synchronized ("1" or ""), origin ("topic/partition/offset"), published (ms),
--          mapping, payload, unknown ("park" or "retry"), max attempts, dead (reason, or ""), trace (sealed, or ""), number of reports
--
-- Returns  {{"topic/n", next or -1}, ...}, {}, {}, 0, name, lowest    the ledger is behind what this consumer read: nothing
--                                                                    stored
--          {}, {result, ...}, {claim, ...}, backlog, name, lowest     result: accepted | repeated | repeated_elsewhere
--          lowest: the highest format that all workers read, 0 without any
--
-- All or nothing, so a crash on either side of the call repeats the batch and the ids recognise it. Reads all it needs
-- before it writes: a record that is none fails here, before anything has changed. Offsets and counters come last.
local spans = cjson.decode(ARGV[3])
call('SETNX', P .. 'name', ARGV[4])
local name = call('GET', P .. 'name')

local stored, behind = {}, {}
for _, span in ipairs(spans) do
  local next = tonumber(call('HGET', P .. 'part:' .. span[1], 'next'))
  stored[span[1]] = next
  if span[4] >= 0 and (not next or next < span[4]) then
    behind[#behind + 1] = {span[1], whole(next or -1)}
  end
end
local _, _, lowest = fleet()
if #behind > 0 then return {behind, {}, {}, 0, name, lowest} end

local known, at = {}, 7
for n = 1, tonumber(ARGV[6]) do
  known[n] = call('HMGET', P .. 'inv:' .. ARGV[at], 'state', 'origin')
  at = at + 15 + tonumber(ARGV[at + 14])
end

-- Lua passes no more than a few thousand values at once. An even number, as scores and ids go in pairs.
local MOST_UNPACKED = 1000

-- What waits from now on, lane by lane: target, and the arguments for its sorted set.
local lanes, came = {}, {}

local function join(id, lane, target)
  if not lanes[lane] then
    lanes[lane] = {target}
    came[#came + 1] = lane
  end
  local of = lanes[lane]
  of[#of + 1] = NOW
  of[#of + 1] = id
end

local results, tally, here = {}, {}, {}
at = 7
for n = 1, tonumber(ARGV[6]) do
  local id, target, lane, origin = ARGV[at], ARGV[at + 3], ARGV[at + 4], ARGV[at + 6]
  local dead, trace, reports = ARGV[at + 12], ARGV[at + 13], tonumber(ARGV[at + 14])
  local record, partition, offset = P .. 'inv:' .. id, string.match(origin, '^(.*)/(%d+)$')
  local first = here[id] or (known[n][1] and known[n][2])
  local result
  if first then
    result = first == origin and 'repeated' or 'repeated_elsewhere'
  else
    result = 'accepted'
    here[id] = origin
    local stored = {'format', ARGV[5], 'kind', ARGV[at + 1], 'run', ARGV[at + 2], 'target', target, 'lane', lane,
      'synchronized', ARGV[at + 5], 'origin', origin, 'published', ARGV[at + 7], 'accepted', NOW, 'mapping', ARGV[at + 8],
      'unknown', ARGV[at + 10], 'max_attempts', ARGV[at + 11], 'generation', 1, 'attempts', 0}
    if trace ~= '' then
      stored[#stored + 1] = 'trace'
      stored[#stored + 1] = trace
    end
    call('SET', P .. 'pay:' .. id, ARGV[at + 9])
    -- Before it is concluded, which takes a dead letter's offset out again.
    if limits.open then call('ZADD', P .. 'open:' .. partition, offset, id) end
    if dead ~= '' then
      call('HSET', record, unpack(stored))
      conclude(id, 'held', 'dead', dead)
    else
      set_state(id, 'held', 'waiting', unpack(stored))
      join(id, lane, target)
    end
    if reports > 0 then
      local items = {}
      for r = 1, reports do items[r] = ARGV[at + 14 + r] end
      report(id, items, dead ~= '' and now or now + limits.report_delay, false)
    end
  end
  tally[partition] = tally[partition] or {}
  tally[partition][result] = (tally[partition][result] or 0) + 1
  results[#results + 1] = result
  at = at + 15 + reports
end

for _, lane in ipairs(came) do
  local of = lanes[lane]
  for n = 2, #of, MOST_UNPACKED do
    call('ZADD', P .. 'wait:' .. lane, unpack(of, n, math.min(n + MOST_UNPACKED - 1, #of)))
  end
  call('HINCRBY', P .. 'counts', 'backlog', (#of - 1) / 2)
  wake(lane, of[1], NOW)
end

local read = {}
local function count(partition, what, n)
  if n > 0 then call('HINCRBY', P .. 'part:' .. partition, what, n) end
end
for _, span in ipairs(spans) do
  local partition, first, next, way, newest = span[1], span[2], span[3], span[6], span[7]
  if way == 'anew' then call('HINCRBY', P .. 'counts', 'partitions_made_anew', 1) end
  if way == 'anew' or way == 'read' and next > (stored[partition] or -1) then
    call('HSET', P .. 'part:' .. partition, 'next', whole(next))
    -- Clocks of publishers may run ahead, but none has published later than now.
    if newest > 0 then call('HSET', P .. 'newest', partition, whole(math.min(newest, now))) end
  end
  count(partition, 'read', next - first)
  read[partition] = (read[partition] or 0) + next - first
  for reason, n in pairs(span[5]) do
    count(partition, 'skipped:' .. reason, n)
    read[partition] = read[partition] - n
  end
end
for partition, counts in pairs(tally) do
  for result, n in pairs(counts) do
    call('HINCRBY', P .. 'counts', result, n)
    count(partition, result, n)
    if read[partition] then read[partition] = read[partition] - n end
  end
end
for partition, gap in pairs(read) do
  count(partition, 'gaps', gap)
end
local claims = claim(tonumber(ARGV[2]))
return {{}, results, claims, tonumber(call('HGET', P .. 'counts', 'backlog')) or 0, name, lowest}
