-- Give back what the last owner of the shard held: nobody knows how far its attempts came.
--
-- KEYS 1 lease   2 ring   3 in flight   4 active   5 audit
-- ARGV 1 lease token   2 prefix of tenants' keys   3 direction
-- Answers {'lost'} when the lease is not ours, else {'ok', how many}.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'lost'}
end
-- Keys of tenants are made from the prefix: which tenants, only this script finds out. They have the
-- hash tag of KEYS, so they are where those are. But while their slot moves to another node of a
-- cluster some are there already, and reading one of those would end the script half-way. This key
-- never exists, so that a script ends here instead, before it has changed anything. Deleted rather
-- than looked for, since a full Redis lets a script that has written before write on.
redis.call('DEL', ARGV[2] .. 'nobody:moved')
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local held = redis.call('HGETALL', KEYS[3])
for i = 1, #held, 2 do
  local cut = string.find(held[i], '\31', 1, true)
  local tenant, conversation = string.sub(held[i], 1, cut - 1), string.sub(held[i], cut + 1)
  local id, queue = held[i + 1], ARGV[2] .. tenant .. ':' .. ARGV[3]
  -- It counts as an attempt: a message that kills its worker must not do so for ever.
  local attempt = redis.call('HINCRBY', queue .. ':attempts', id, 1)
  redis.call('HSET', queue .. ':attempts', id .. ':u', '1')
  redis.call('LPUSH', queue .. ':ready', conversation)
  redis.call('ZADD', KEYS[2], 'NX', now_us, tenant)
  local found = redis.call('XRANGE', queue, id, id)[1]
  redis.call('XADD', KEYS[5], '*', 'o', '', 'r', cjson.encode({
    tenant = tenant, action = 'delivery.recovered', conversation = conversation,
    direction = ARGV[3], attempt = attempt, delivery_id = found and found[2][2] or '',
  }))
end
redis.call('DEL', KEYS[3], KEYS[4])
return {'ok', #held / 2}
