-- Drop a dead letter for good.
--
-- KEYS 1 dead letters   2 their ids   3 audit.  ARGV 1 letter   2 delivery id   3 audit record
-- Answers 1, or 0 when it is not there any more.
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('XADD', KEYS[3], '*', 'r', ARGV[3], 'o', '')
return 1
