-- Note that a stream is alive, whatever has been appended so far: it counts as open by its text.
--
-- KEYS 1 the shard's open streams.  ARGV 1 tenant   2 stream
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1] .. '\31' .. ARGV[2])
