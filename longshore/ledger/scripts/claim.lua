-- claim: who may start now? Used by accept, pump and finish after round_robin.lua and dispatch.lua.

-- Returns a flat list, seven values a claim: id, token, start (ms), target, attempts so far, generation, format.
local function claim(want)
  local names, partly = ready(P .. 'targets', want)
  if want <= 0 or #names == 0 then return {} end
  return dispatch(want, names, partly)
end
