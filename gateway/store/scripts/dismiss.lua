-- Forget a tenant's endpoint.
--
-- KEYS 1 profiles   2 tenants (limits)   3 departed tenants.
-- ARGV 1 tenant   2 when it was removed, Unix ms; '' when nobody said so
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[2] ~= '' then
  redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
end
return redis.call('HDEL', KEYS[2], ARGV[1])
