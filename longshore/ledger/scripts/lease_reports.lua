-- lease_reports: leases the reports of some invocations to one sender.
-- uses: allow_when_full, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_invocations  whose reports to lease
-- ARGV[3]  lease       in ms, after which somebody else may send them
--
-- Returns  {{id, token, kind, run, synchronized, tries, trace, format, generation, item, ...}, ...}
--
-- A sender that dies leaves them here: they are sent again after the lease, in order, perhaps twice.
--
-- The budget is the fleet's: `port_rate` calls per second, of which a second's worth may be drawn at once (GCRA). What
-- is beyond it stays where it is. If that cannot keep up for a minute, run logs are dropped so that statuses get
-- through.
local LATE = 60000
local FOREIGN_PAUSE = 2000
local KINDS = ' action_run node_run change_log '
local AHEAD = 1000
local rate = limits.port_rate
local budget_key = P .. 'port_budget'
local drawn = math.max(now, tonumber(call('GET', budget_key)) or 0)
if drawn > now + 60000 then drawn = now end -- set before the clock went back: nobody draws that far ahead
local spent = false

-- Draws the calls of `items`; false if they are beyond the budget. A full budget carries whatever comes first.
-- All logs of an invocation share one call, and so does all that is patched.
local function draw(items)
  if rate == 0 then return true end
  local calls, logs, counted = 0, 0, {}
  for _, item in ipairs(items) do
    local kind = string.sub(item, 1, 1)
    if kind == REPORT_PATCH then kind = REPORT_STATUS end
    if is_report(item, REPORTS_LOGS) then
      logs = 1
    elseif not counted[kind] then
      counted[kind] = true
      calls = calls + (is_report(item, REPORTS_TWO_CALLS) and 2 or 1)
    end
  end
  local after = drawn + (calls + logs) * 1000 / rate
  if drawn > now and after > now + AHEAD then return false end
  drawn, spent = after, true
  return true
end

-- Drops the run logs among `items`; returns the rest.
local function without_logs(id, items)
  local rest = {}
  for _, item in ipairs(items) do
    if is_report(item, REPORTS_LOGS) then
      call('LREM', P .. 'out:' .. id, 1, item)
      add_to(P .. 'counts', 'reports_shed', 1)
    else
      rest[#rest + 1] = item
    end
  end
  return rest
end

-- Drops what is left of an invocation, `number` reports. Its record has expired (Port was away for longer than it is
-- kept), and with it what Port needs to know; or somebody else has written to these keys.
local function forget(id, number)
  call('ZREM', P .. 'outbox', id)
  call('DEL', P .. 'out:' .. id)
  call('HDEL', P .. 'outbox:tries', id)
  call('ZREM', P .. 'outbox:since', id)
  add_to(P .. 'counts', 'reports_expired', number)
end

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'outbox:leased', '-inf', '(' .. whole(lease_now), 'LIMIT', 0, 100)) do
  call('ZREM', P .. 'outbox:leased', id)
  call('ZADD', P .. 'outbox', whole(now), id)
end

local first = call('ZRANGE', P .. 'outbox', 0, 0, 'WITHSCORES')
-- What a second's budget carries is no backlog, however old: nobody was there to send it.
local late = rate > 0 and first[2] and now - first[2] > LATE
  and call('ZCOUNT', P .. 'outbox', '-inf', whole(now)) > rate
local max_invocations, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
local rows = {}
-- Those that only had logs, which are dropped, make room for others: so more are read than can be leased.
local max_read = late and 200 or max_invocations
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'outbox', '-inf', whole(now), 'LIMIT', 0, max_read)) do
  if #rows == max_invocations then break end
  local kind, run, synchronized, format, trace, generation = unpack(redis.pcall('HMGET', P .. 'inv:' .. id,
    'kind', 'run', 'synchronized', 'format', 'trace', 'generation'))
  format = tonumber(format) or 1
  local items = redis.pcall('LRANGE', P .. 'out:' .. id, 0, 199)
  if not kind or #items == 0 then
    forget(id, #items)
  elseif format < limits.reads[1] or format > limits.reads[2] then
    -- For a sender of another version; should none come, it is looked at again.
    call('ZADD', P .. 'outbox', whole(now + FOREIGN_PAUSE), id)
  elseif not string.find(KINDS, ' ' .. kind .. ' ', 1, true) then
    forget(id, #items)
  else
    if late then items = without_logs(id, items) end
    if #items > 0 then
      if not draw(items) then break end
      local token = whole(lease_now + lease)
      call('ZREM', P .. 'outbox', id)
      call('ZADD', P .. 'outbox:leased', token, id)
      local row = {id, token, kind, run, synchronized, call('HGET', P .. 'outbox:tries', id) or '0', trace or '',
        format, generation or '1'}
      for _, item in ipairs(items) do row[#row + 1] = item end
      rows[#rows + 1] = row
    elseif call('EXISTS', P .. 'out:' .. id) == 0 then
      call('ZREM', P .. 'outbox', id)
      call('HDEL', P .. 'outbox:tries', id)
      call('ZREM', P .. 'outbox:since', id)
    end
  end
end
if spent then call('SET', budget_key, string.format('%.3f', drawn), 'PX', 120000) end
return rows
