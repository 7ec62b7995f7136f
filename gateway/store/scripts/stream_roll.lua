-- Let a text go on in another message, unless the stream has ended or changed meanwhile: whoever ends
-- it sees all of its messages, or is told to look again.
--
-- KEYS 1 ledger   2 how it stands (string)
-- ARGV 1 shape that it must have   2 its shape from now on   3 field of the new part   4 its value
--      5 how it stands from now on   6 ttl, ms
if redis.call('HGET', KEYS[1], 'shape') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'shape', ARGV[2], ARGV[3], ARGV[4])
redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[6])
return 1
