-- stop_intake: an operator stops intake of the whole fleet, or lets it go on. accept.lua obeys.
-- uses: allow_when_full
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  note  JSON {by, at_ms} to stop it, "" to let it go on
--
-- Returns  the note of the stop that holds now, or ""
--
-- A stop that holds already stays as it is: whoever repeats the call learns who came first, and since when.
local P, note = KEYS[1], ARGV[2]
if note == '' then
  redis.call('DEL', P .. 'intake')
else
  redis.call('SETNX', P .. 'intake', note)
end
return redis.call('GET', P .. 'intake') or ''
