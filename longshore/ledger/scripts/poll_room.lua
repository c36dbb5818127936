-- poll_room: how many more runs could start soon, if they were claimed from Port now.
-- uses: allow_when_full, clock, transitions, limits_and_breaker, round_robin
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
--
-- Returns  the fleet's free slots, less the runs that are still to be acknowledged; 0 at least
--
-- What waits is not counted: as long as slots are free, it waits for a limit of its target, or for its time.
local slots = fleet()
return math.max(0, slots - call('ZCARD', P .. 'leased') - call('ZCARD', P .. 'acks'))
