-- Write a workspace's look-up key anew, whatever was in it. KEYS 1 key.  ARGV pairs of field, value.
redis.call('DEL', KEYS[1])
return redis.call('HSET', KEYS[1], unpack(ARGV))
