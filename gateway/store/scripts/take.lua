-- Hand out the heads of lanes that may start now, one lane per tenant and turn.
--
-- KEYS 1 lease   2 ring   3 schedule   4 in flight   5 active   6 tenants (limits)   7 profiles
--      8 breakers
-- ARGV 1 lease token   2 prefix of tenants' keys   3 direction   4 most to hand out
-- Answers {'lost'} when the lease is not ours, else
--   {'ok', next due (in ms from now, or -1), deliveries, profiles}
--   delivery = {tenant, conversation, entry id, attempts made, uncertain, delivery id, payload}
--   profiles = {tenant, profile, ...} of the tenants handed out
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'lost'}
end
-- Keys of tenants are made from the prefix: which tenants, only this script finds out. They have the
-- hash tag of KEYS, so they are where those are. But while their slot moves to another node of a
-- cluster some are there already, and reading one of those would end the script half-way. This key
-- never exists, so that a script ends here instead, before it has changed anything.
redis.call('EXISTS', ARGV[2] .. 'nobody:moved')
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)

local function queue_of(tenant)
  return ARGV[2] .. tenant .. ':' .. ARGV[3]
end

for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now_ms, 'LIMIT', 0, 500)) do
  local cut = string.find(lane, '\31', 1, true)
  local tenant = string.sub(lane, 1, cut - 1)
  redis.call('ZREM', KEYS[3], lane)
  redis.call('RPUSH', queue_of(tenant) .. ':ready', string.sub(lane, cut + 1))
  redis.call('ZADD', KEYS[2], 'NX', now_us, tenant)
end

local function begin(tenant, conversation)
  local queue = queue_of(tenant)
  local lane = queue .. ':lane:' .. conversation
  local id = redis.call('LINDEX', lane, 0)
  local found = id and redis.call('XRANGE', queue, id, id)
  if not id or not found[1] then
    return nil
  end
  local made = redis.call('HMGET', queue .. ':attempts', id, id .. ':u')
  redis.call('HSET', KEYS[4], tenant .. '\31' .. conversation, id)
  redis.call('HINCRBY', KEYS[5], tenant, 1)
  local fields = found[1][2]
  return {tenant, conversation, id, made[1] or '0', made[2] or '0', fields[2], fields[4]}
end

-- Mostly nobody's breaker is open, and then nobody's need be asked for.
local any_broken = ARGV[3] == 'in' and redis.call('EXISTS', KEYS[8]) == 1
local function is_broken(tenant)
  return any_broken and redis.call('HEXISTS', KEYS[8], tenant) == 1
end

local taken, profiles, seen = {}, {}, {}
while #taken < tonumber(ARGV[4]) do
  local tenant = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not tenant then
    break
  end
  local limit = tonumber(redis.call('HGET', KEYS[6], tenant) or 1)
  local active = tonumber(redis.call('HGET', KEYS[5], tenant) or 0)
  local may_start = active < limit and not is_broken(tenant)
  local conversation = may_start and redis.call('LPOP', queue_of(tenant) .. ':ready')
  if not conversation then
    -- Nothing may start: the next commit or settle, or the closing of its breaker, puts it back.
    redis.call('ZREM', KEYS[2], tenant)
  else
    local delivery = begin(tenant, conversation)
    if delivery then
      taken[#taken + 1] = delivery
      if not seen[tenant] then
        seen[tenant] = true
        profiles[#profiles + 1] = tenant
        profiles[#profiles + 1] = redis.call('HGET', KEYS[7], tenant) or ''
      end
    end
    redis.call('ZADD', KEYS[2], now_us + #taken, tenant)
  end
end

local due = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
return {'ok', due[2] and math.max(due[2] - now_ms, 0) or -1, taken, profiles}
