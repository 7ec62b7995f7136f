-- Make a tenant's endpoint known. KEYS 1 profiles  2 tenants (limits).  ARGV 1 tenant  2 profile  3 limit
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
