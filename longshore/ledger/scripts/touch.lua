-- touch: a write that changes nothing, for a connection that is then asked which replicas have everything (WAIT).
-- uses: allow_when_full
--
-- KEYS[1]  prefix
--
-- Returns  OK
return redis.call('SET', KEYS[1] .. 'touched', '')
