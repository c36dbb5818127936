-- notify: one process of the fleet at a time sends notifications. Takes or renews its lease, and notes what it sent.
-- uses: allow_when_full, clock
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  process    who asks
-- ARGV[3]  lease      for how long it is the one (ms)
-- ARGV[4]  reads      1 where it is an ingest that reads its source and lacks nothing
-- ARGV[5..] field, value   what it notes; only with a lease of its own, as what another one took over is sent again
--
-- Returns  {now, field, value, ...}   the time (ms) and all notes, for the one whose lease it is; nothing for others
local process, lease, reads = unpack(ARGV, 2, 4)
local notes = P .. 'notify'
if reads == '1' then call('HSET', notes, 'read', NOW) end
local holder, lapses = unpack(call('HMGET', notes, 'holder', 'lapses'))
local is_holder = holder == process
if not is_holder and (#ARGV > 4 or (lapses and now < (tonumber(lapses) or 0))) then return {} end
call('HSET', notes, 'holder', process, 'lapses', whole(now + lease), unpack(ARGV, 5))
local answer = call('HGETALL', notes)
table.insert(answer, 1, NOW)
return answer
