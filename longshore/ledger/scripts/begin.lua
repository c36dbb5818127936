-- begin: may this worker send now? From here on bytes may leave.
-- uses: allow_when_full, judge, clock, transitions
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2..] id, token  of each claim that was loaded; only the newest claim may begin
--
-- Returns  an answer for each:
--          first   yes; when its first attempt began (ms)
--          false   no: begun, finished or claimed again since; the claim is stale
--          error   no: that record is broken; its lease lapses
--
-- A crash from here on leaves them `begun`, with an attempt counted. Whether bytes were sent is then unknown, so their
-- leases lapse and the policy for unknown outcomes decides (pump).
local FIRST_CLAIM = 2
local leases = {}

local function begin(id, token)
  local state, newest_token, attempts, first = unpack(call('HMGET', P .. 'inv:' .. id,
    'state', 'token', 'attempts', 'first'))
  if state ~= 'claimed' or newest_token ~= token then return false end
  local attempt = (tonumber(attempts) or 0) + 1
  -- What was put back unsent was no attempt, so the first may begin more than once.
  if attempt == 1 or not first then first = NOW end
  set_state(id, 'claimed', 'begun', 'first', first, 'attempts', whole(attempt), 'begun_token', token, 'begun', NOW)
  append(leases, whole(lease_now + limits.lease), id)
  return first
end

local answers = {}
for n = FIRST_CLAIM, #ARGV, 2 do answers[#answers + 1] = judge(begin, ARGV[n], ARGV[n + 1]) end
write('ZADD', P .. 'leased', 'XX', leases)
return answers
