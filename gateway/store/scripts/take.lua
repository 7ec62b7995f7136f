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

local function first_due()
  return redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
end

local due = first_due()
if due and tonumber(due) <= now_ms then
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now_ms, 'LIMIT', 0, 500)) do
    local cut = string.find(lane, '\31', 1, true)
    local tenant = string.sub(lane, 1, cut - 1)
    redis.call('ZREM', KEYS[3], lane)
    redis.call('RPUSH', queue_of(tenant) .. ':ready', string.sub(lane, cut + 1))
    redis.call('ZADD', KEYS[2], 'NX', now_us, tenant)
  end
  due = first_due()
end

-- Mostly nobody's breaker is open, and then nobody's need be asked for.
local any_broken = ARGV[3] == 'in' and redis.call('EXISTS', KEYS[8]) == 1
local function is_broken(tenant)
  return any_broken and redis.call('HEXISTS', KEYS[8], tenant) == 1
end

-- Calls are what a script's time goes into, so they are made per tenant or once where they can be.
local function look(tenants)
  local limits = redis.call('HMGET', KEYS[6], unpack(tenants))
  local active = redis.call('HMGET', KEYS[5], unpack(tenants))
  local seen = {}
  for n, tenant in ipairs(tenants) do
    local running = tonumber(active[n] or 0)
    local most = tonumber(limits[n] or 1) - running
    if most > 0 then
      most = is_broken(tenant) and 0 or math.min(most, redis.call('LLEN', queue_of(tenant) .. ':ready'))
    end
    seen[n] = {name = tenant, running = running, most = most, given = 0}
  end
  return seen
end

-- One lane per tenant and turn, in the order of the ring.
local function give_turns(tenants, left)
  local turns = {}
  repeat
    local before = #turns
    for _, tenant in ipairs(tenants) do
      if #turns < left and tenant.given < tenant.most then
        tenant.given = tenant.given + 1
        turns[#turns + 1] = tenant
        tenant.last = #turns
      end
    end
  until #turns == before
  return turns
end

local function begin(tenant, conversation)
  local queue = queue_of(tenant.name)
  local id = redis.call('LINDEX', queue .. ':lane:' .. conversation, 0)
  local found = id and redis.call('XRANGE', queue, id, id)
  if not id or not found[1] then
    return nil
  end
  local made = tenant.tried and redis.call('HMGET', queue .. ':attempts', id, id .. ':u') or {}
  local fields = found[1][2]
  return {tenant.name, conversation, id, made[1] or '0', made[2] or '0', fields[2], fields[4]}
end

local taken, profiles, known = {}, {}, {}
local function start(tenants, turns)
  local held, running, next_turn = {}, {}, {}
  for _, tenant in ipairs(tenants) do
    if tenant.given > 0 then
      local queue = queue_of(tenant.name)
      tenant.lanes = redis.call('LPOP', queue .. ':ready', tenant.given)
      tenant.tried = redis.call('EXISTS', queue .. ':attempts') == 1
    end
  end
  for turn, tenant in ipairs(turns) do
    tenant.begun = (tenant.begun or 0) + 1
    local conversation = tenant.lanes[tenant.begun]
    local delivery = begin(tenant, conversation)
    if delivery then
      taken[#taken + 1] = delivery
      tenant.running = tenant.running + 1
      held[#held + 1] = tenant.name .. '\31' .. conversation
      held[#held + 1] = delivery[3]
    end
  end
  for _, tenant in ipairs(tenants) do
    if tenant.given > 0 then
      running[#running + 1] = tenant.name
      running[#running + 1] = tenant.running
    end
  end
  if #held > 0 then
    redis.call('HSET', KEYS[4], unpack(held))
    redis.call('HSET', KEYS[5], unpack(running))
  end
end

-- Whoever has had turns goes behind all others, in the order of the last ones. Of whom nothing more
-- may start goes out: the next commit or settle, or the closing of its breaker, puts it back.
local function pass_on(tenants, before)
  local behind, out = {}, {}
  for _, tenant in ipairs(tenants) do
    if tenant.given == tenant.most then
      out[#out + 1] = tenant.name
    elseif tenant.given > 0 then
      behind[#behind + 1] = now_us + before + tenant.last
      behind[#behind + 1] = tenant.name
    end
  end
  if #out > 0 then
    redis.call('ZREM', KEYS[2], unpack(out))
  end
  if #behind > 0 then
    redis.call('ZADD', KEYS[2], unpack(behind))
  end
end

local function profile_of(tenants)
  local names = {}
  for _, tenant in ipairs(tenants) do
    if tenant.given > 0 and not known[tenant.name] then
      known[tenant.name] = true
      names[#names + 1] = tenant.name
    end
  end
  local found = #names > 0 and redis.call('HMGET', KEYS[7], unpack(names)) or {}
  for n, name in ipairs(names) do
    profiles[#profiles + 1] = name
    profiles[#profiles + 1] = found[n] or ''
  end
end

local wanted = tonumber(ARGV[4])
repeat
  local left = wanted - #taken
  local names = redis.call('ZRANGE', KEYS[2], 0, left - 1)
  if #names > 0 then
    local tenants = look(names)
    local before = #taken
    start(tenants, give_turns(tenants, left))
    pass_on(tenants, before)
    profile_of(tenants)
  end
  -- Fewer than were asked for are all that there are, and each has had what it may have.
until #taken == wanted or #names < left

return {'ok', due and math.max(due - now_ms, 0) or -1, taken, profiles}
