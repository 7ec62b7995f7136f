-- Hand a tenant's work out again.
--
-- KEYS 1 breakers   2 ready lanes of the tenant   3 ring   4 audit   5 window of the tenant
-- ARGV 1 tenant   2 audit record   3 wake channel   4 wake message
-- Answers 1, or 0 when the breaker was not open.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('DEL', KEYS[5])
redis.call('XADD', KEYS[4], '*', 'r', ARGV[2], 'o', '')
if redis.call('EXISTS', KEYS[2]) == 1 then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[3], 'NX', time[1] * 1000000 + time[2], ARGV[1])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
end
return 1
