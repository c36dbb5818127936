-- judge: many in one call, each by itself. Used before clock.lua.

-- What `f` returns; where it fails, its error as an answer for this one alone. Redis's errors are tables since Redis 7.
-- An error of Redis as a whole (it is full, or no primary any more) stops the script before: at its first write.
local function judge(f, ...)
  local is_judged, answer = pcall(f, ...)
  if is_judged then return answer end
  return {err = type(answer) == 'table' and answer.err or tostring(answer)}
end
