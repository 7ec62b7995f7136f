-- List open streams that nobody has spoken of for a while.
--
-- KEYS 1 the shard's open streams.  ARGV 1 for how long, ms   2 most to list
-- Answers members: tenant, 0x1f, stream.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms - ARGV[1], 'LIMIT', 0, ARGV[2])
