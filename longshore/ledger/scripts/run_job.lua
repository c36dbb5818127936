-- run_job: one step of a requeue job: as many invocations as its rate allows by now, each once.
-- uses: allow_when_full, clock, transitions, order, restart_invocation
--
-- KEYS[1]  prefix
-- ARGV[1]  limits
-- ARGV[2]  name        of the job
-- ARGV[3]  max_invocations  to requeue in this step
--
-- Returns  the job's state: canary | watching | running | paused | done | stopped, or "" if there is no such job
--
-- Taking an id off the job's list and requeueing it are one step, so a crash on either side repeats and skips nothing.
-- How long it is kept (s) since it last did something; as in save_job.lua.
local KEEP_S = 1209600

local name, max_invocations = ARGV[2], ARGV[3]
local job = P .. 'job:' .. name
local state, rate, canary, replay, note, started, next = unpack(call('HMGET', job,
  'state', 'rate', 'canary', 'replay', 'note', 'started', 'next'))
if not state then
  call('ZREM', P .. 'jobs', name)
  return ''
end
rate, canary, started = tonumber(rate), tonumber(canary), tonumber(started) or 0

local function turn_to(new)
  state = new
  call('HSET', job, 'state', new, 'turned', whole(now))
  if new == 'done' or new == 'stopped' or new == 'paused' then call('ZREM', P .. 'jobs', name) end
end

if state == 'watching' then
  local pending, failed = 0, 0
  for _, id in ipairs(call('LRANGE', job .. ':canary', 0, -1)) do
    local now_is = call('HGET', P .. 'inv:' .. id, 'state')
    if now_is == 'waiting' or now_is == 'claimed' or now_is == 'begun' then
      pending = pending + 1
    elseif now_is ~= 'done' then
      failed = failed + 1
    end
  end
  if failed > 0 then
    call('HSET', job, 'canary_failed', failed)
    turn_to('stopped')
  elseif pending == 0 then
    turn_to('running')
  end
end

if state == 'canary' or state == 'running' then
  local remaining = tonumber(max_invocations)
  local start = math.max(tonumber(next) or now, now - 1000)
  -- Set before the clock went back: a job waits for one step at most.
  if rate > 0 and start > now + 1000 / rate then start = now end
  if rate > 0 then remaining = math.min(remaining, math.floor((now - start) * rate / 1000) + 1) end
  if state == 'canary' then remaining = math.min(remaining, canary - started) end
  local count = 0
  while count < remaining and start <= now do
    local entry = call('LPOP', job .. ':ids')
    if not entry then break end
    local generation, id = string.match(entry, '^(%d+):(.*)$')
    local is_known, outcome = pcall(restart_invocation, id, generation, replay == '1', note)
    if not is_known then outcome = 'gone' end  -- what is broken cannot be sent either
    add_to(job, outcome, 1)
    count = count + 1
    if state == 'canary' and string.sub(outcome, 1, 8) == 'requeued' then call('RPUSH', job .. ':canary', id) end
    if rate > 0 then start = start + 1000 / rate end
  end
  flush()
  if count > 0 then
    add_to(job, 'started', count)
    if rate > 0 then call('HSET', job, 'next', string.format('%.3f', start)) end
    for _, key in ipairs({job, job .. ':ids', job .. ':canary'}) do call('EXPIRE', key, KEEP_S) end
  end
  if state == 'canary' and started + count >= canary then
    turn_to('watching')
  elseif call('EXISTS', job .. ':ids') == 0 then
    turn_to('done')
  end
end
return state
