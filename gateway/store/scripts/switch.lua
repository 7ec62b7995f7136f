-- Send a tenant's deliveries another way, unless its profile has changed since it was read.
--
-- KEYS 1 profiles   2 audit.  ARGV 1 tenant   2 profile as it was read   3 new profile   4 audit record
-- Answers 1, or 0 when the profile is another one.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('XADD', KEYS[2], '*', 'r', ARGV[4], 'o', '')
return 1
