-- Hand a lease back. KEYS 1 lease.  ARGV 1 token.  Answers 1, or 0 when it is not ours.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
