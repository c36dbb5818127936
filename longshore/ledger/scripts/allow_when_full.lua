-- allow_when_full: lets a script finish although Redis has reached its maxmemory. Used first by all but accept.
--
-- Redis refuses a script's first write if that could take memory. One that cannot, such as this DEL of a key that never
-- exists, opens the way for the whole script (Redis's documentation, "Handling of Redis maxmemory"; every version). So
-- intake stops while work under way can still end, which is what makes room again.
redis.call('DEL', KEYS[1] .. 'room')
