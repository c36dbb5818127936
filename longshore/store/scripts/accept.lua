-- accept: stores a batch read from Kafka, once, and claims what may start at once.
-- uses: common, claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  want       most invocations to claim
-- ARGV[3]  spans      JSON list of {partition key ("topic/n"), first, next, expected or -1, {reason: count}}: what was read
-- ARGV[4]  entries    how many follow, 14 values each and then the reports:
--          id, kind, run, target, lane, synchronized ("1" or ""), origin ("topic/partition/offset"), published (ms),
--          mapping, payload, unknown ("park" or "retry"), max attempts, dead (reason, or ""), number of reports
--
-- Returns  {{"topic/n", next or -1}, ...}, {}, {}, 0        the ledger is behind what this consumer has read: nothing stored
--          {}, {result, ...}, {claim, ...}, backlog          result: accepted | repeated | repeated_elsewhere
--
-- All or nothing, so a crash on either side of the call repeats the batch and the ids recognise it.
local spans = cjson.decode(ARGV[3])
local behind = {}
for _, span in ipairs(spans) do
  local stored = tonumber(call('HGET', P .. 'part:' .. span[1], 'next'))
  if span[4] >= 0 and (not stored or stored < span[4]) then
    behind[#behind + 1] = {span[1], whole(stored or -1)}
  end
end
if #behind > 0 then return {behind, {}, {}, 0} end

local read = {}
local function count(partition, what, n)
  call('HINCRBY', P .. 'part:' .. partition, what, n)
end
for _, span in ipairs(spans) do
  local partition, first, next = span[1], span[2], span[3]
  local stored = tonumber(call('HGET', P .. 'part:' .. partition, 'next')) or 0
  if next > stored then call('HSET', P .. 'part:' .. partition, 'next', whole(next)) end
  count(partition, 'read', next - first)
  read[partition] = next - first
  for reason, n in pairs(span[5]) do
    count(partition, 'skipped:' .. reason, n)
    read[partition] = read[partition] - n
  end
end

local results, tally, at = {}, {}, 5
for _ = 1, tonumber(ARGV[4]) do
  local id, target, lane, origin = ARGV[at], ARGV[at + 3], ARGV[at + 4], ARGV[at + 6]
  local dead, reports = ARGV[at + 12], tonumber(ARGV[at + 13])
  local record, partition = P .. 'inv:' .. id, string.match(origin, '^(.*)/%d+$')
  local known = call('HMGET', record, 'state', 'origin')
  local result
  if known[1] then
    result = known[2] == origin and 'repeated' or 'repeated_elsewhere'
  else
    result = 'accepted'
    call('HSET', record, 'format', limits.format, 'kind', ARGV[at + 1], 'run', ARGV[at + 2], 'target', target,
      'lane', lane, 'synchronized', ARGV[at + 5], 'origin', origin, 'published', ARGV[at + 7], 'accepted', whole(now),
      'mapping', ARGV[at + 8], 'unknown', ARGV[at + 10], 'max_attempts', ARGV[at + 11], 'generation', 1, 'attempts', 0)
    call('SET', P .. 'pay:' .. id, ARGV[at + 9])
    if dead ~= '' then
      conclude(id, 'held', 'dead', dead)
    else
      move(id, 'held', 'waiting')
      queue(id, lane, target, now)
    end
    if reports > 0 then
      local items = {}
      for n = 1, reports do items[n] = ARGV[at + 13 + n] end
      report(id, items, dead ~= '' and now or now + limits.report_delay)
    end
  end
  tally[partition] = tally[partition] or {}
  tally[partition][result] = (tally[partition][result] or 0) + 1
  results[#results + 1] = result
  at = at + 14 + reports
end
for partition, counts in pairs(tally) do
  for result, n in pairs(counts) do
    call('HINCRBY', P .. 'counts', result, n)
    count(partition, result, n)
    if read[partition] then read[partition] = read[partition] - n end
  end
end
for partition, gap in pairs(read) do
  if gap > 0 then count(partition, 'gaps', gap) end
end
local claims = claim(tonumber(ARGV[2]))
return {{}, results, claims, tonumber(call('HGET', P .. 'counts', 'backlog')) or 0}
