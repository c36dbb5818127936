-- claim: who may start now? Used by accept, pump and finish after round.lua and hand_out.lua.

-- Returns a flat list, seven values a claim: id, token, start (ms), target, attempts so far, generation, format.
local function claim(want)
  local names, partly = ready(P .. 'targets', want)
  if want <= 0 or #names == 0 then return {} end
  return hand_out(want, names, partly)
end
