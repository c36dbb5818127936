-- accept: stores a batch from a source, once, and claims what may start at once.
-- uses: clock, transitions, order, limits_and_breaker, round_robin, dispatch(), claim
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_claims  to return at most
-- ARGV[3]  ranges     JSON list of offsets read: {partition ("topic/n"), first, next, expected or -1, {reason: count},
--          mode, newest}. mode: "group"; "reset" sets the next offset back, for a partition that was
--          recreated; "replay" leaves it alone, for a reader outside the group. newest: timestamp (ms), 0 for none
-- ARGV[4]  new_name   for this ledger, if it has none yet
-- ARGV[5]  format     of the records to write
-- ARGV[6]  count      of entries that follow, each of ENTRY_SIZE values and then its reports. The values are those of
--          ENTRY_FIELDS in longshore/ledger/record.py: synchronized and verbatim "1" or "", origin
--          "topic/partition/offset", published ms, unknown "park" or "retry", dead a reason or "", trace sealed or "",
--          order "" or as order.lua has it, ack_after "" or in ms when its claim is to be acknowledged to Port, by
--          which it is held, reports how many follow
--
-- Returns  {{"topic/n", next or -1}, ...}, {}, {}, 0, name, lowest, workers
--                          the ledger is behind what this consumer has read: nothing stored
--          {}, {result, ...}, {claim, ...}, backlog, name, lowest, workers
--                          result: accepted | repeated | repeated_elsewhere
--          {}, {}, {}, backlog, name, lowest, workers, 1
--                          an operator has stopped intake and the batch has something new: nothing stored
--          lowest: the highest format that all workers read, 0 without any; workers: how many there are
--
-- All or nothing, so a crash on either side of the call repeats the batch and the ids recognise it. Reads all it needs
-- before it writes: a record that is none fails here, before anything has changed. Offsets and counters come last.
local max_claims, ranges, new_name, format, count = unpack(ARGV, 2, 6)
local FIRST_ENTRY, ENTRY_SIZE = 7, 18
local ORDER = 15 -- where it stands behind the id
max_claims, ranges, count = tonumber(max_claims), cjson.decode(ranges), tonumber(count)

-- The values of the entry that begins at ARGV[at], in the order of ENTRY_FIELDS.
local function entry_at(at)
  return unpack(ARGV, at, at + ENTRY_SIZE - 1)
end

-- Where the entry behind it begins.
local function behind_entry(at)
  return at + ENTRY_SIZE + tonumber(ARGV[at + ENTRY_SIZE - 1])
end

call('SETNX', P .. 'name', new_name)
local name = call('GET', P .. 'name')

local stored, behind = {}, {}
for _, range in ipairs(ranges) do
  local partition, _, _, expected = unpack(range)
  local next = tonumber(string.match(call('HGET', P .. 'part:' .. partition, 'next') or '', '^%d+$'))
  stored[partition] = next
  if expected >= 0 and (not next or next < expected) then
    behind[#behind + 1] = {partition, whole(next or -1)}
  end
end
local _, _, lowest = fleet()
if #behind > 0 then return {behind, {}, {}, 0, name, lowest, 0} end

local is_news = count > 0
for _, range in ipairs(ranges) do
  is_news = is_news or range[2] < range[3]
end
if is_news and call('EXISTS', P .. 'intake') == 1 then
  return {{}, {}, {}, number_in(P .. 'counts', 'backlog'), name, lowest, call('ZCARD', P .. 'fleet'), 1}
end

-- Of each entry, the state and the origin of its record, if there is one.
local existing, at = {}, FIRST_ENTRY
for n = 1, count do
  local id = entry_at(at)
  local order = ARGV[at + ORDER]
  if order ~= '' then call('ZCARD', order_key(order)) end
  local state, origin = unpack(call('HMGET', P .. 'inv:' .. id, 'state', 'origin'))
  existing[n] = state and origin
  at = behind_entry(at)
end

-- New waiting invocations by lane: scores and ids for the sorted set.
local lanes = {}

local function join(id, lane, target, due)
  lanes[lane] = lanes[lane] or {}
  append(lanes[lane], whole(due), id)
  wake(lane, target, due)
  count_up('backlog')
end

-- `here`: id → origin of what this batch has brought, as a batch may hold an id twice.
local results, tally, here = {}, {}, {}
at = FIRST_ENTRY
for n = 1, count do
  local id, kind, run, target, lane, synchronized, origin, published, mapping, payload, unknown, max_attempts, dead,
    trace, verbatim, order, ack_after, reports = entry_at(at)
  local record, partition, offset = P .. 'inv:' .. id, string.match(origin, '^(.*)/(%d+)$')
  partition = partition or origin -- a source without offsets
  local first = here[id] or existing[n]
  local result
  if first then
    result = first == origin and 'repeated' or 'repeated_elsewhere'
    -- Port gives out again what it has heard no acknowledgement of: if none is under way, ours was lost.
    if ack_after ~= '' then call('ZADD', P .. 'acks', 'NX', whole(lease_now), id) end
  else
    result = 'accepted'
    here[id] = origin
    local fields = {'format', format, 'kind', kind, 'run', run, 'target', target, 'lane', lane,
      'synchronized', synchronized, 'origin', origin, 'published', published, 'accepted', NOW, 'mapping', mapping,
      'unknown', unknown, 'max_attempts', max_attempts, 'generation', 1, 'attempts', 0}
    if trace ~= '' then append(fields, 'trace', trace) end
    if verbatim ~= '' then append(fields, 'verbatim', verbatim) end
    if order ~= '' then append(fields, 'order', order) end
    local is_first = order == '' or take_place(id, order)
    call('SET', P .. 'pay:' .. id, payload)
    -- Before it is concluded, which takes a dead letter's offset out again.
    if limits.open and ack_after == '' then call('ZADD', P .. 'open:' .. partition, offset, id) end
    if ack_after ~= '' then
      call('HSET', record, 'state', 'held', 'reason', dead, unpack(fields))
      call('ZADD', P .. 'acks', whole(lease_now + tonumber(ack_after)), id)
    elseif dead ~= '' then
      call('HSET', record, unpack(fields))
      conclude(id, 'held', 'dead', dead)
      leave_order(id, order ~= '' and order, 'dead')
    else
      set_state(id, 'held', 'waiting', unpack(fields))
      join(id, lane, target, is_first and now or NEVER)
    end
    if ack_after ~= '' and reports ~= '0' then
      call('RPUSH', P .. 'first:' .. id, unpack(ARGV, at + ENTRY_SIZE, behind_entry(at) - 1))
    elseif reports ~= '0' then
      local due = dead ~= '' and now or now + limits.report_delay
      report(id, {unpack(ARGV, at + ENTRY_SIZE, behind_entry(at) - 1)}, due, false)
    end
  end
  tally[partition] = tally[partition] or {}
  tally[partition][result] = (tally[partition][result] or 0) + 1
  results[#results + 1] = result
  at = behind_entry(at)
end

for lane, scored in pairs(lanes) do write('ZADD', P .. 'wait:' .. lane, '', scored) end

local read = {}
local function count(partition, what, n)
  if n > 0 then add_to(P .. 'part:' .. partition, what, n) end
end
for _, range in ipairs(ranges) do
  local partition, first, next, _, skipped, mode, newest = unpack(range)
  if mode == 'reset' then add_to(P .. 'counts', 'partitions_made_anew', 1) end
  if mode == 'reset' or mode == 'group' and next > (stored[partition] or -1) then
    call('HSET', P .. 'part:' .. partition, 'next', whole(next))
    -- Clocks of publishers may run ahead, but none has published in the future.
    if newest > 0 then call('HSET', P .. 'newest', partition, whole(math.min(newest, now))) end
  end
  count(partition, 'read', next - first)
  read[partition] = (read[partition] or 0) + next - first
  for reason, n in pairs(skipped) do
    count(partition, 'skipped:' .. reason, n)
    read[partition] = read[partition] - n
  end
end
for partition, counts in pairs(tally) do
  for result, n in pairs(counts) do
    count_up(result, n)
    if read[partition] then
      count(partition, result, n)
      read[partition] = read[partition] - n
    end
  end
end
for partition, gap in pairs(read) do
  count(partition, 'gaps', gap)
end
flush()
local claims = claim(max_claims)
return {{}, results, claims, number_in(P .. 'counts', 'backlog'), name, lowest, call('ZCARD', P .. 'fleet')}
