-- Note that nothing will end a stream any more, unless somebody has ended it.
--
-- KEYS 1 ledger.  ARGV 1 shape that it must have   2 its shape from now on   3 field of its end
--      4 how that has ended
if redis.call('HGET', KEYS[1], 'shape') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'shape', ARGV[2], ARGV[3], ARGV[4])
return 1
