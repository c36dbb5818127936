-- requeue: an operator sends one ended invocation again.
-- uses: allow_when_full, clock, transitions, order, restart_invocation
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  generation  the one that was looked at, or "" for any
-- ARGV[4]  replay      "1": also what was delivered
-- ARGV[5]  note        sealed history entry: who, when, why
-- ARGV[6]  dry_run     "1": only what would become of it; nothing changes
--
-- Returns  what became of it, see restart_invocation.lua
local id, generation, replay, note, dry_run = unpack(ARGV, 2, 6)
local outcome = restart_invocation(id, generation, replay == '1', note, dry_run == '1')
flush()
return outcome
