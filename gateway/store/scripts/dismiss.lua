-- Forget a tenant's endpoint. KEYS 1 profiles  2 tenants (limits).  ARGV 1 tenant
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
