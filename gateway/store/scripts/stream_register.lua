-- Note that a stream is alive, whatever has been appended so far.
--
-- KEYS 1 the tenant's open streams   2 the shard's open streams.  ARGV 1 tenant   2 stream
local time = redis.call('TIME')
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1] .. '\31' .. ARGV[2])
