-- ack_reports: deletes reports that were leased, all or some; the rest is due after a delay.
-- uses: allow_when_full, judge, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2..] acks     for each invocation ACK_SIZE values and then the items that are still to be sent, in order:
--          id
--          token     of lease_reports
--          leased    how many items lease_reports returned
--          delay     before the rest is tried again (ms)
--          unsent    how many items follow; if any, this try failed
--
-- Returns  an answer for each: 1, or 0 if the lease had lapsed and somebody else has it (nothing changed), or the error
--          of broken keys
local FIRST_ACK, ACK_SIZE = 2, 5
local sent, succeeded, due = {}, {}, {}

local function ack(at)
  local id, token, leased, delay, unsent = unpack(ARGV, at, at + ACK_SIZE - 1)
  if call('ZSCORE', P .. 'outbox:leased', id) ~= token then return 0 end
  call('LTRIM', P .. 'out:' .. id, leased, -1)
  for n = at + ACK_SIZE + unsent - 1, at + ACK_SIZE, -1 do call('LPUSH', P .. 'out:' .. id, ARGV[n]) end
  -- At once, so that the same lease a second time finds it ended.
  call('ZREM', P .. 'outbox:leased', id)
  if unsent == '0' then append(succeeded, id) else add_to(P .. 'outbox:tries', id, 1) end
  if unsent ~= '0' or call('EXISTS', P .. 'out:' .. id) == 1 then
    append(due, whole(now + tonumber(delay)), id)
  else
    append(sent, id)
  end
  return 1
end

local answers, at = {}, FIRST_ACK
while at <= #ARGV do
  answers[#answers + 1] = judge(ack, at)
  at = at + ACK_SIZE + tonumber(ARGV[at + ACK_SIZE - 1])
end
write('HDEL', P .. 'outbox:tries', '', succeeded)
write('ZREM', P .. 'outbox:since', '', sent)
write('ZADD', P .. 'outbox', '', due)
return answers
