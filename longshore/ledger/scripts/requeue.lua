-- requeue: an operator sends one ended invocation again.
-- uses: room, clock, common, again
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  id
-- ARGV[3]  generation  the one that was looked at, or "" for any
-- ARGV[4]  replay      "1": also what was delivered
-- ARGV[5]  note        sealed history entry: who, when, why
-- ARGV[6]  dry_run     "1": only what would become of it; nothing changes
--
-- Returns  what became of it, see again.lua
local id, generation, replay, note, dry_run = unpack(ARGV, 2, 6)
return again(id, generation, replay == '1', note, dry_run == '1')
