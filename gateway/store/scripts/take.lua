-- Hand out the heads of lanes that may start now, one lane per tenant and turn.
--
-- KEYS 1 lease   2 ring   3 schedule   4 in flight   5 active   6 tenants (limits)   7 profiles
--      8 breakers
-- ARGV 1 lease token   2 prefix of tenants' keys   3 direction   4 most to hand out
-- Answers {'lost'} when the lease is not ours, else
--   {'ok', next due (in ms from now, or -1), how many deliveries,
--    six per delivery: tenant, conversation, entry id, delivery id, payload, attempts made (with a
--    `?` behind it when one of them is uncertain), and then
--    pairs of tenant and profile of the tenants handed out}
--
-- What its time goes into, and so why it is written as it is: see settle.lua.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'lost'}
end
local call, wanted = redis.call, tonumber(ARGV[4])
local prefix, behind_name = ARGV[2], ':' .. ARGV[3]
-- Keys of tenants are made from the prefix: which tenants, only this script finds out. They have the
-- hash tag of KEYS, so they are where those are. But while their slot moves to another node of a
-- cluster some are there already, and reading one of those would end the script half-way. The first
-- of these keys never exists, so that a script ends here instead, before it has changed anything.
-- Mostly nobody's breaker is open, and then nobody's need be asked for.
local any_broken = call('EXISTS', prefix .. 'nobody:moved', KEYS[8]) == 1 and ARGV[3] == 'in'
local time = call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)

local due = call('ZRANGE', KEYS[3], '0', '0', 'WITHSCORES')[2]
if due and tonumber(due) <= now_ms then
  for _, lane in ipairs(call('ZRANGEBYSCORE', KEYS[3], '-inf', now_ms, 'LIMIT', 0, 500)) do
    local cut = string.find(lane, '\31', 1, true)
    local tenant = string.sub(lane, 1, cut - 1)
    call('ZREM', KEYS[3], lane)
    call('RPUSH', prefix .. tenant .. behind_name .. ':ready', string.sub(lane, cut + 1))
    call('ZADD', KEYS[2], 'NX', now_us, tenant)
  end
  due = call('ZRANGE', KEYS[3], '0', '0', 'WITHSCORES')[2]
end

local answer, size, taken, known = {'ok', due and math.max(due - now_ms, 0) or -1, 0}, 3, 0, {}
local handed_out = {}

-- Who may start how many, in the order of the ring.
local function look(names)
  local limits = call('HMGET', KEYS[6], unpack(names))
  local active = call('HMGET', KEYS[5], unpack(names))
  local tenants = {}
  for n, name in ipairs(names) do
    local running, queue = tonumber(active[n] or 0), prefix .. name .. behind_name
    local most = tonumber(limits[n] or 1) - running
    if most > 0 then
      if any_broken and call('HEXISTS', KEYS[8], name) == 1 then
        most = 0
      else
        most = math.min(most, call('LLEN', queue .. ':ready'))
      end
    end
    tenants[n] = {name = name, queue = queue, running = running, most = most, given = 0, begun = 0}
  end
  return tenants
end

-- One lane per tenant and turn.
local function give_turns(tenants, left)
  local turns, count, before = {}, 0
  repeat
    before = count
    for _, tenant in ipairs(tenants) do
      if count < left and tenant.given < tenant.most then
        tenant.given = tenant.given + 1
        count = count + 1
        turns[count] = tenant
        tenant.last = count
      end
    end
  until count == before
  return turns
end

local function start(tenants, turns)
  local given, attempts = {}, {}
  for _, tenant in ipairs(tenants) do
    if tenant.given > 0 then
      given[#given + 1] = tenant
      attempts[#given] = tenant.queue .. ':attempts'
      tenant.lane = tenant.queue .. ':lane:'
      tenant.lanes = call('LPOP', tenant.queue .. ':ready', tenant.given)
    end
  end
  if #given == 0 then
    return
  end
  local any_tried = call('EXISTS', unpack(attempts)) > 0
  local held, before = {}, taken
  for _, tenant in ipairs(turns) do
    local begun = tenant.begun + 1
    tenant.begun = begun
    local conversation = tenant.lanes[begun]
    local id = call('LINDEX', tenant.lane .. conversation, '0')
    local found = id and call('XRANGE', tenant.queue, id, id)[1]
    if found then
      local fields, tries = found[2], '0'
      if any_tried then
        local made = call('HMGET', tenant.queue .. ':attempts', id, id .. ':u')
        tries = (made[1] or '0') .. (made[2] == '1' and '?' or '')
      end
      answer[size + 1] = tenant.name
      answer[size + 2] = conversation
      answer[size + 3] = id
      answer[size + 4] = fields[2]
      answer[size + 5] = fields[4]
      answer[size + 6] = tries
      size = size + 6
      local n = 2 * (taken - before)
      held[n + 1] = tenant.name .. '\31' .. conversation
      held[n + 2] = id
      taken = taken + 1
      tenant.running = tenant.running + 1
    end
  end
  if #held > 0 then
    local running = {}
    for n, tenant in ipairs(given) do
      running[2 * n - 1] = tenant.name
      running[2 * n] = tenant.running
      if not known[tenant.name] then
        known[tenant.name] = true
        handed_out[#handed_out + 1] = tenant.name
      end
    end
    call('HSET', KEYS[4], unpack(held))
    call('HSET', KEYS[5], unpack(running))
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
    call('ZREM', KEYS[2], unpack(out))
  end
  if #behind > 0 then
    call('ZADD', KEYS[2], unpack(behind))
  end
end

repeat
  local left = wanted - taken
  local names = call('ZRANGE', KEYS[2], '0', left - 1)
  if #names > 0 then
    local tenants, before = look(names), taken
    start(tenants, give_turns(tenants, left))
    pass_on(tenants, before)
  end
  -- Fewer than were asked for are all that there are, and each has had what it may have.
until taken == wanted or #names < left

answer[3] = taken
if taken > 0 then
  local profiles = call('HMGET', KEYS[7], unpack(handed_out))
  for n, name in ipairs(handed_out) do
    answer[size + 1] = name
    answer[size + 2] = profiles[n] or ''
    size = size + 2
  end
end
return answer
