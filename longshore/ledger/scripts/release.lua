-- release: invocations of which nothing was sent return to their lanes: the worker is draining, or never learned
-- whether `begin` had run, or it does not read the record's format. Uses no attempt.
-- uses: allow_when_full, judge, clock, transitions, limits_and_breaker
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  delay    before they are handed out again (ms)
-- ARGV[3..] id, token  of each claim
--
-- Returns  an answer for each: 1 it is back in its lane, 0 the claim was stale, or the error of a broken record
local delay, FIRST_CLAIM = tonumber(ARGV[2]), 3

local function release(id, token)
  local state, claim_token, lane, target, attempts = unpack(call('HMGET', P .. 'inv:' .. id,
    'state', 'token', 'lane', 'target', 'attempts'))
  if claim_token ~= token or (state ~= 'claimed' and state ~= 'begun') then return 0 end
  queue(id, lane, target, now + delay)
  if state == 'begun' then
    move(id, 'begun', 'waiting', 'attempts', whole(attempts - 1))
  else
    move(id, 'claimed', 'waiting')
  end
  end_lease(id, lane, target)
  observe(target, id, '')
  observe(lane, id, '')
  return 1
end

local answers = {}
for n = FIRST_CLAIM, #ARGV, 2 do answers[#answers + 1] = judge(release, ARGV[n], ARGV[n + 1]) end
flush()
return answers
