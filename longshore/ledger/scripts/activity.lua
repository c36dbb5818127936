-- activity: what the fleet did lately, in hashes that expire, each of a span of time. Used after clock.lua.
--
--   act:m:<n>  minute n since 1970, and act:q:<n>, quarter of an hour n: how many invocations made each move of COUNTED
--              (the names of `counts`), and the durations of deliveries as a histogram: `l<n>`, see ledger/latency.py
--   act:h:<n>  hour n: `d <target>` delivered there, `f <target>` failed; without a name those of all other targets,
--              where there are too many
--   act:seen   what was seen last of `counts`; no crash of a worker loses or repeats a move
local COUNTED = {'accepted', 'done', 'dead', 'unknown', 'retried'}
local SPANS = {{name = 'm:', length = 60000, keep = 7200000}, {name = 'q:', length = 900000, keep = 90000000}}
local HOUR, KEEP_HOUR = 3600000, 90000000
local ACTIVITY = P .. 'act:'

-- Two for each target.
local MAX_TARGET_FIELDS = 400

local function add_to_spans(field, number)
  for _, span in ipairs(SPANS) do
    local key = ACTIVITY .. span.name .. whole(math.floor(now / span.length))
    call('HINCRBY', key, field, number)
    call('PEXPIRE', key, span.keep)
  end
end

local function add_to_target(field, number)
  local key = ACTIVITY .. 'h:' .. whole(math.floor(now / HOUR))
  if call('HLEN', key) >= MAX_TARGET_FIELDS and call('HEXISTS', key, field) == 0 then
    field = string.sub(field, 1, 2)
  end
  call('HINCRBY', key, field, number)
  call('PEXPIRE', key, KEEP_HOUR)
end

local function add_moves()
  local counts, seen = call('HMGET', P .. 'counts', unpack(COUNTED)), call('HMGET', ACTIVITY .. 'seen', unpack(COUNTED))
  for n, name in ipairs(COUNTED) do
    local grown = (tonumber(counts[n]) or 0) - (tonumber(seen[n]) or 0)
    if grown > 0 then add_to_spans(name, whole(grown)) end
    if grown ~= 0 then call('HSET', ACTIVITY .. 'seen', name, counts[n] or 0) end
  end
end

-- Adds what `counts` has grown by, and ARGV[first..last]: a field and a number each.
local function add_activity(first, last)
  add_moves()
  for n = first, last, 2 do
    local add = string.sub(ARGV[n], 2, 2) == ' ' and add_to_target or add_to_spans
    add(ARGV[n], ARGV[n + 1])
  end
end
