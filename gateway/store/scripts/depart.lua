-- Remove a piece of what a tenant has left behind that was removed a day ago.
--
-- KEYS 1 profiles   2 departed tenants   3 dead letters   4 their ids   5 queue in   6 queue out
--      7 list of the tenant's ledgers   8 its open streams   9 health   10 audit
-- ARGV 1 tenant   2 prefix of its keys   3 most letters or ledgers to remove
-- Answers `more`, `waits` while deliveries are queued, which end as dead letters, `done`, or `back`
-- when the tenant is there again: what it finds is its own.
redis.call('EXISTS', ARGV[2] .. 'nobody:moved')
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 'back'
end
local letters = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', ARGV[3])
for _, letter in ipairs(letters) do
  local fields = {}
  for i = 1, #letter[2], 2 do
    fields[letter[2][i]] = letter[2][i + 1]
  end
  redis.call('XDEL', KEYS[3], letter[1])
  redis.call('HDEL', KEYS[4], fields.i)
  redis.call('XADD', KEYS[10], '*', 'o', '', 'r', cjson.encode({
    tenant = ARGV[1], action = 'dead_letter.discarded', conversation = fields.c,
    direction = fields.d, attempt = tonumber(fields.n), delivery_id = fields.i,
    detail = 'the tenant was removed',
  }))
end
if #letters > 0 then
  return 'more'
end
if redis.call('XLEN', KEYS[5]) + redis.call('XLEN', KEYS[6]) > 0 then
  return 'waits'
end
local ledgers = redis.call('LPOP', KEYS[7], ARGV[3])
if ledgers then
  redis.call('UNLINK', unpack(ledgers))
  return 'more'
end
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[8])
redis.call('HDEL', KEYS[9], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 'done'
