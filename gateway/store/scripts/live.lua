-- Report a replica as alive and count all that are. KEYS 1 replicas.
-- ARGV 1 owner  2 now, Unix ms  3 since when the others must have been heard of, Unix ms.
-- Removes first, for a script that has written before may write to a full Redis, too.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return redis.call('ZCARD', KEYS[1])
