-- Put a dead letter back at the end of its lane, under the same delivery id.
--
-- KEYS 1 dead letters   2 their ids   3 queue   4 lane   5 ready lanes   6 ring   7 audit
--      8 attempts
-- ARGV 1 letter   2 tenant   3 conversation   4 audit record   5 wake channel   6 wake message
-- Answers 1, or 0 when somebody else has replayed or discarded it.
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then
  return 0
end
local time = redis.call('TIME')
local fields = found[2]
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], fields[2])
local id = redis.call('XADD', KEYS[3], '*', 'i', fields[2], 'p', fields[4])
if fields[18] == '1' then
  -- It may have arrived before it was given up: whoever sends it again must look first.
  redis.call('HSET', KEYS[8], id .. ':u', '1')
end
if redis.call('RPUSH', KEYS[4], id) == 1 then
  redis.call('RPUSH', KEYS[5], ARGV[3])
  redis.call('ZADD', KEYS[6], 'NX', time[1] * 1000000 + time[2], ARGV[2])
  redis.call('PUBLISH', ARGV[5], ARGV[6])
end
redis.call('XADD', KEYS[7], '*', 'r', ARGV[4], 'o', '')
return 1
