-- Take a free lease. KEYS 1 lease  2 fence.  ARGV 1 owner  2 ttl, ms.
-- Answers the token `owner:fencing number`, or false while somebody holds it.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
-- A full Redis refuses what could need memory, unless the script has written before: whoever empties
-- it must be able to own what is to be emptied.
redis.call('DEL', KEYS[1])
local token = ARGV[1] .. ':' .. redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
return token
