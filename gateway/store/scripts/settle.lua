-- Settle attempts: remove, schedule again, or move to the dead letters, each with its audit record.
--
-- KEYS 1 lease   2 ring   3 schedule   4 in flight   5 active   6 audit   7 breakers
-- ARGV 1 lease token   2 prefix of tenants' keys   3 direction
--      breaker: 4 window in ms   5 least attempts in it   6 percent of ill ones that opens it
--      then per settlement five: tenant, conversation, entry id, audit record ('' for none), and
--      `well` when it is done, the endpoint is well and no ledger is to be told, as mostly; else
--      its action (done | again | dead), and six more:
--      sign of the endpoint's health (well | ill | gone | '')
--      for again: delay in ms, counts (0|1), uncertain (0|1), '';  for dead: reason, detail,
--      attempts, uncertain (0|1);  for done: receipt, what was left out, '', ''
--      and last the delivery's id when a ledger is to be told of its end, else ''
-- Answers {'lost'} when the lease is not ours, else
--   {'ok', 1 when one of the tenants has a lane that may start, else 0, how many settlements,
--    the numbers of those that were not held by us (from 1), the tenants whose breaker opened or went}
--
-- What a script's time goes into is calls, then arguments, strings, tables (in answers above all) and
-- functions that hold on to what is around them. So calls are made once for all settlements, or per
-- tenant, where they can be; answers are flat; and what is rarely needed is given all that it needs.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'lost'}
end

local function bury(tenant, at)
  local id = ARGV[at + 2]
  local found = redis.call('XRANGE', tenant.queue, id, id)[1]
  if not found then
    return
  end
  local entry = found[2]
  local dead = ARGV[2] .. tenant.name .. ':dead'
  local letter = redis.call('XADD', dead, '*', 'i', entry[2], 'p', entry[4], 'd', ARGV[3],
    'c', ARGV[at + 1], 'a', string.match(id, '^%d+'),
    'r', ARGV[at + 6], 't', ARGV[at + 7], 'n', ARGV[at + 8], 'u', ARGV[at + 9])
  redis.call('HSET', dead .. ':ids', entry[2], letter)
end

-- Ledgers that are gone stay gone: one with nothing but an end in it would tell nobody anything.
local function tell(tenant, at)
  local message, part = string.match(ARGV[at + 10], '^([^-]+)%-(.+)$')
  local ledger = message and ARGV[2] .. tenant.name .. ':ledger:' .. message
  if not ledger or redis.call('EXISTS', ledger) == 0 then
    return
  end
  local first, second = ARGV[at + 6], ARGV[at + 7]
  if ARGV[at + 4] == 'done' then
    redis.call('HSET', ledger, 'd:' .. part, 's' .. first)
    if second ~= '' then
      redis.call('HSET', ledger, 'degraded', second)
    end
  else
    local state = ARGV[at + 9] == '1' and 'u' or 'f'
    redis.call('HSET', ledger, 'd:' .. part, state .. first .. '\31' .. string.sub(second, 1, 200))
  end
end

local function wait(tenant, at, now_us)
  local id, attempts = ARGV[at + 2], tenant.queue .. ':attempts'
  if ARGV[at + 7] == '1' then
    redis.call('HINCRBY', attempts, id, 1)
    redis.call('HSET', attempts, id .. ':u', ARGV[at + 8])
  end
  redis.call('ZADD', KEYS[3], math.floor(now_us / 1000) + ARGV[at + 6], tenant.name .. '\31' .. ARGV[at + 1])
end

-- Of a tenant that is well, as nearly all are nearly always, nothing is asked: once enough are
-- counted, one more that is well can only bring the rate down. Answers what the breaker becomes.
local function judge(tenant)
  if tenant.gone > 0 and string.sub(redis.call('HGET', KEYS[7], tenant.name) or '', 1, 4) ~= 'gone' then
    return 'gone', 'endpoint.disabled', 'the endpoint answered 410'
  end
  local window, counted = ARGV[2] .. tenant.name .. ':window', tenant.well + tenant.ill
  local all = redis.call('HINCRBY', window, 'all', counted)
  if all == counted then
    redis.call('PEXPIRE', window, ARGV[4])
  end
  local least = tonumber(ARGV[5])
  if tenant.ill == 0 and (all < least or all - counted >= least) then
    return nil
  end
  local ill = redis.call('HINCRBY', window, 'ill', tenant.ill)
  if all < least or ill * 100 < all * tonumber(ARGV[6]) or redis.call('HGET', KEYS[7], tenant.name) then
    return nil
  end
  return 'open', 'breaker.opened', ill .. ' of ' .. all .. ' attempts failed'
end

local function open(tenant, now_us, state, action, detail)
  redis.call('HSET', KEYS[7], tenant.name, state .. ' ' .. math.floor(now_us / 1000))
  redis.call('DEL', ARGV[2] .. tenant.name .. ':window')
  redis.call('XADD', KEYS[6], '*', 'o', '', 'r',
    cjson.encode({tenant = tenant.name, action = action, direction = ARGV[3], detail = detail}))
end

local function forget_attempts(tenant)
  local attempts = tenant.queue .. ':attempts'
  if redis.call('EXISTS', attempts) == 1 then
    for _, id in ipairs(tenant.ids) do
      redis.call('HDEL', attempts, id, id .. ':u')
    end
  end
end

local call, args = redis.call, ARGV
local count, places, members = 0, {}, {}
local tenants, named, attempts = {}, {}, {args[2] .. 'nobody:moved'}
local at = 7
while args[at] do
  local name = args[at]
  if not named[name] then
    local queue = args[2] .. name .. ':' .. args[3]
    local tenant = {name = name, queue = queue, lane = queue .. ':lane:', ended = 0, over = 0,
      ids = {}, ready = {}, well = 0, ill = 0, gone = 0}
    named[name] = tenant
    tenants[#tenants + 1] = tenant
    attempts[#attempts + 1] = queue .. ':attempts'
  end
  count = count + 1
  places[count] = at
  members[count] = name .. '\31' .. args[at + 1]
  at = at + (args[at + 4] == 'well' and 5 or 11)
end

-- Keys of tenants are made from the prefix: which tenants, only this script finds out. They have the
-- hash tag of KEYS, so they are where those are. But while their slot moves to another node of a
-- cluster some are there already, and reading one of those would end the script half-way. The first
-- of these keys never exists, so that a script ends here instead, before it has changed anything.
local any_tried = call('EXISTS', unpack(attempts)) > 0
local time = call('TIME')
local now_us = time[1] .. string.format('%06d', time[2])

local answer, held, numbers = {'ok', 0, count}, 0, {}
local entries = count > 0 and call('HMGET', KEYS[4], unpack(members)) or {}
for n = 1, count do
  if entries[n] == args[places[n] + 2] then
    held = held + 1
    members[held], places[held], numbers[held] = members[n], places[n], n
  else
    answer[#answer + 1] = n
  end
end
if held == 0 then
  return answer
end
if call('HDEL', KEYS[4], unpack(members, 1, held)) < held then
  -- Of a lane that is named twice the first settlement counts.
  local known, all = {}, held
  held = 0
  for n = 1, all do
    if known[members[n]] then
      answer[#answer + 1] = numbers[n]
    else
      known[members[n]] = true
      held = held + 1
      places[held] = places[n]
    end
  end
end

local lanes, removed = {}, 0
for n = 1, held do
  local at = places[n]
  local tenant, action = named[args[at]], args[at + 4]
  tenant.ended = tenant.ended + 1
  local sign = action == 'well' and 'well' or args[at + 5]
  if sign ~= '' then
    tenant[sign] = tenant[sign] + 1
  end
  if action == 'again' then
    wait(tenant, at, now_us)
  else
    if action == 'dead' then
      bury(tenant, at)
    end
    local lane, over = tenant.lane .. args[at + 1], tenant.over + 1
    call('LPOP', lane)
    removed = removed + 1
    lanes[removed] = lane
    tenant.over = over
    tenant.ids[over] = args[at + 2]
    tenant.ready[over] = args[at + 1]
    if action ~= 'well' and args[at + 10] ~= '' then
      tell(tenant, at)
    end
  end
  local record = args[at + 3]
  if record ~= '' then
    call('XADD', KEYS[6], '*', 'r', record, 'o', '')
  end
end

-- Lanes that hold more go on. Mostly all of them do, or none does, and then one call tells.
local going_on = removed > 0 and call('EXISTS', unpack(lanes)) or 0

-- Of a tenant: whether something of it may start.
local function push_ready(tenant, ready)
  if going_on > 0 and going_on < removed then
    for n = #ready, 1, -1 do
      if redis.call('EXISTS', tenant.lane .. ready[n]) == 0 then
        table.remove(ready, n)
      end
    end
  end
  local key = tenant.queue .. ':ready'
  if going_on > 0 and #ready > 0 then
    redis.call('RPUSH', key, unpack(ready))
    return true
  end
  return redis.call('EXISTS', key) == 1
end

local names = {}
for n, tenant in ipairs(tenants) do
  names[n] = tenant.name
end
local active, running, idle, ring = call('HMGET', KEYS[5], unpack(names)), {}, {}, {}
for n, tenant in ipairs(tenants) do
  if tenant.ended > 0 then
    local left = (active[n] or 0) - tenant.ended
    if left > 0 then
      running[#running + 1] = tenant.name
      running[#running + 1] = left
    else
      idle[#idle + 1] = tenant.name
    end
    if tenant.over > 0 then
      call('XDEL', tenant.queue, unpack(tenant.ids))
      if any_tried then
        forget_attempts(tenant)
      end
    end
    if push_ready(tenant, tenant.ready) then
      ring[#ring + 1] = now_us
      ring[#ring + 1] = tenant.name
    end
    if tenant.well + tenant.ill + tenant.gone > 0 then
      local state, action, detail = judge(tenant)
      if state then
        open(tenant, now_us, state, action, detail)
        answer[#answer + 1] = tenant.name
      end
    end
  end
end
if #idle > 0 then
  call('HDEL', KEYS[5], unpack(idle))
end
if #running > 0 then
  call('HSET', KEYS[5], unpack(running))
end
if #ring > 0 then
  answer[2] = 1
  call('ZADD', KEYS[2], 'NX', unpack(ring))
end
return answer
