-- load: what the records say to which some claims lead, so that their requests can be built. Only reads.
-- uses: allow_when_full, judge, clock
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  max_bytes  of messages to return; the first is returned however long it is
-- ARGV[3..] id, token  of each claim
--
-- Returns  an answer for each of the first claims, as many as fit:
--          {}          begun, finished or claimed again since; the claim is stale
--          {format}    this worker does not read that format
--          {format, message, attempts begun so far, first attempt (ms) or false, ...}
--                      the fields of its record that `started_fields` names follow, false for what it does not have
--          error       that record is broken
local max_bytes, FIRST_CLAIM, FIRST_STARTED_FIELD = tonumber(ARGV[2]), 3, 6

local function load(id, token)
  local values = call('HMGET', P .. 'inv:' .. id, 'state', 'token', 'format', 'attempts', 'first', started_fields())
  local state, newest_token, format, attempts, first = unpack(values, 1, FIRST_STARTED_FIELD - 1)
  format = tonumber(format) or 1
  if state ~= 'claimed' or newest_token ~= token then return {} end
  if format < limits.reads[1] or format > limits.reads[2] then return {format} end
  local message = call('GET', P .. 'pay:' .. id) or ''
  return {format, message, tonumber(attempts) or 0, first, unpack(values, FIRST_STARTED_FIELD)}
end

local answers, bytes = {}, 0
for n = FIRST_CLAIM, #ARGV, 2 do
  local answer = judge(load, ARGV[n], ARGV[n + 1])
  bytes = bytes + #(answer[2] or '')
  if bytes > max_bytes and #answers > 0 then break end
  answers[#answers + 1] = answer
end
return answers
