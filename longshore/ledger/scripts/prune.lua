-- prune: drops dead letters and unknown outcomes that are older than the time they are kept, or more than are kept.
-- uses: allow_when_full, clock, transitions, discard
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
--
-- Returns  how many were dropped; call again while it is not 0
local dropped = 0
for _, set in ipairs({'dead', 'unknown'}) do
  local old = call('ZRANGEBYSCORE', P .. set, '-inf', whole(now - limits.keep_dead), 'LIMIT', 0, 100)
  local beyond = math.min(100, call('ZCARD', P .. set) - limits.keep_dead_count)
  if #old < beyond then old = call('ZRANGE', P .. set, 0, beyond - 1) end
  for _, id in ipairs(old) do
    discard(id, set, ordered and call('HGET', P .. 'inv:' .. id, 'order'))
    add_to(P .. 'counts', 'pruned:' .. set, 1)
    dropped = dropped + 1
  end
end
return dropped
