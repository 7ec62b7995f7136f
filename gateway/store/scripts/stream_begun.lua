-- Note a message of a stream that stands on the platform.
--
-- KEYS 1 ledger   2 how the stream stands (string)   3 messages that began in the conversation (zset)
-- ARGV 1 how it stands from now on   2 ttl, ms   3 the platform's id   4 field of the part   5 its value
--      6 most messages to remember
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
-- One that is gone stays gone: with nothing but this in it it would tell nobody anything.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return 1
