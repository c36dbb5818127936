-- claim: claims what may start now. Used by accept, pump and finish after round_robin.lua and dispatch.lua.

-- Returns a flat list, for each claim the values of CLAIM_VALUES in longshore/ledger/record.py. At most `max_claims`.
local function claim(max_claims)
  local names, partly = ready(P .. 'targets', max_claims)
  if max_claims <= 0 or #names == 0 then return {} end
  return dispatch(max_claims, names, partly)
end
