-- restart_invocation: an invocation that has ended waits again, as a new generation. Used by requeue and run_job after
-- transitions.lua and order.lua; they flush.

-- Returns  requeued | requeued_closed (Port's run has ended: only its log hears of this) | gone | changed (not the
--          generation that was meant) | busy (it has not ended) | delivered (only a replay repeats it) | no_payload
--
-- `generation` "" takes any. `note` joins the history: who, when, why. With `dry_run` it only returns what it would.
local function restart_invocation(id, generation, replay, note, dry_run)
  local record = P .. 'inv:' .. id
  local state, present, lane, target, closed, home, reason, order = unpack(call('HMGET', record,
    'state', 'generation', 'lane', 'target', 'closed', 'home', 'reason', 'order'))
  if not state then return 'gone' end
  if generation ~= '' and present ~= generation then return 'changed' end
  if state == 'done' and not replay then return 'delivered' end
  if state ~= 'dead' and state ~= 'unknown' and state ~= 'done' then return 'busy' end
  if call('EXISTS', P .. 'pay:' .. id) == 0 then return 'no_payload' end
  local outcome = closed and 'requeued_closed' or 'requeued'
  if dry_run then return outcome end
  call('RPUSH', P .. 'att:' .. id, note)  -- first, as it fails if that key is broken
  if state ~= 'done' then
    call('ZREM', P .. state, id)
  else
    count_up('replayed')
  end
  -- A suspect is still one as long as nothing proves otherwise, poison above all: it is tried alone again.
  home = home or reason == 'poison' and lane
  if home then lane = target .. SUSPECTS end
  move(id, state, 'waiting', 'lane', lane, 'generation', whole(present + 1), 'attempts', 0, 'accepted', whole(now))
  call('HDEL', record, 'begun_token', 'reason', 'status', 'ended', 'deaths', 'moves')
  if home then call('HSET', record, 'home', home, 'deaths', limits.suspect) end
  for _, key in ipairs({record, P .. 'pay:' .. id, P .. 'att:' .. id}) do call('PERSIST', key) end
  queue_in_order(id, order, lane, target, now)
  count_up('requeued')
  return outcome
end
