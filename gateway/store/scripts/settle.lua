-- Settle attempts: remove, schedule again, or move to the dead letters, each with its audit record.
--
-- KEYS 1 lease   2 ring   3 schedule   4 in flight   5 active   6 audit   7 breakers
-- ARGV 1 lease token   2 prefix of tenants' keys   3 direction
--      breaker: 4 window in ms   5 least attempts in it   6 percent of ill ones that opens it
--      then per settlement eleven:
--      tenant, conversation, entry id, action (done | again | dead), audit record ('' for none),
--      sign of the endpoint's health (well | ill | gone | '')
--      and for again: delay in ms, counts (0|1), uncertain (0|1), '';  for dead: reason, detail,
--      attempts, uncertain (0|1);  for done: receipt, what was left out, '', ''
--      and last the delivery's id when a ledger is to be told of its end, else ''
-- Answers {'lost'} when the lease is not ours, else
--   {'ok', 1 or 0 per settlement (0: not held by us), tenants whose breaker opened or went,
--    1 when one of the tenants has a lane that may start, else 0}
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

local function bury(queue, tenant, conversation, id, at)
  local found = redis.call('XRANGE', queue, id, id)[1]
  if not found then
    return
  end
  local entry = found[2]
  local dead = ARGV[2] .. tenant .. ':dead'
  local letter = redis.call('XADD', dead, '*', 'i', entry[2], 'p', entry[4], 'd', ARGV[3],
    'c', conversation, 'a', string.match(id, '^%d+'),
    'r', ARGV[at + 6], 't', ARGV[at + 7], 'n', ARGV[at + 8], 'u', ARGV[at + 9])
  redis.call('HSET', dead .. ':ids', entry[2], letter)
end

-- Ledgers that are gone stay gone: one with nothing but an end in it would tell nobody anything.
local function tell(tenant, name, action, at)
  local message, part = string.match(name, '^([^-]+)%-(.+)$')
  local ledger = message and ARGV[2] .. tenant .. ':ledger:' .. message
  if not ledger or redis.call('EXISTS', ledger) == 0 then
    return
  end
  local first, second = ARGV[at + 6], ARGV[at + 7]
  if action == 'done' then
    redis.call('HSET', ledger, 'd:' .. part, 's' .. first)
    if second ~= '' then
      redis.call('HSET', ledger, 'degraded', second)
    end
  else
    local state = ARGV[at + 9] == '1' and 'u' or 'f'
    redis.call('HSET', ledger, 'd:' .. part, state .. first .. '\31' .. string.sub(second, 1, 200))
  end
end

local function wait(queue, member, id, at)
  if ARGV[at + 7] == '1' then
    redis.call('HINCRBY', queue .. ':attempts', id, 1)
    redis.call('HSET', queue .. ':attempts', id .. ':u', ARGV[at + 8])
  end
  redis.call('ZADD', KEYS[3], now_ms + ARGV[at + 6], member)
end

-- Signs are added up per tenant first: one look at the window per tenant and call, not per attempt.
local signs = {}
local function note(tenant, sign)
  if sign ~= '' then
    signs[tenant] = signs[tenant] or {well = 0, ill = 0, gone = 0}
    signs[tenant][sign] = signs[tenant][sign] + 1
  end
end

local function open(tenant, state, action, detail)
  redis.call('HSET', KEYS[7], tenant, state .. ' ' .. now_ms)
  redis.call('DEL', ARGV[2] .. tenant .. ':window')
  redis.call('XADD', KEYS[6], '*', 'o', '', 'r',
    cjson.encode({tenant = tenant, action = action, direction = ARGV[3], detail = detail}))
end

local function state_of(tenant)
  return redis.call('HGET', KEYS[7], tenant) or ''
end

-- Of a tenant that is well, as nearly all are nearly always, nothing is asked: once enough are
-- counted, one more that is well can only bring the rate down.
local function judge(tenant, seen)
  if seen.gone > 0 and string.sub(state_of(tenant), 1, 4) ~= 'gone' then
    open(tenant, 'gone', 'endpoint.disabled', 'the endpoint answered 410')
    return true
  end
  local window, counted = ARGV[2] .. tenant .. ':window', seen.well + seen.ill
  local all = redis.call('HINCRBY', window, 'all', counted)
  if all == counted then
    redis.call('PEXPIRE', window, ARGV[4])
  end
  local least = tonumber(ARGV[5])
  if seen.ill == 0 and (all < least or all - counted >= least) then
    return false
  end
  local ill = redis.call('HINCRBY', window, 'ill', seen.ill)
  if all < least or ill * 100 < all * tonumber(ARGV[6]) or state_of(tenant) ~= '' then
    return false
  end
  open(tenant, 'open', 'breaker.opened', ill .. ' of ' .. all .. ' attempts failed')
  return true
end

-- Calls are what a script's time goes into, so they are made per tenant or once where they can be.
local members, tenants, settled = {}, {}, {}
for at = 7, #ARGV, 11 do
  members[#members + 1] = ARGV[at] .. '\31' .. ARGV[at + 1]
end
local entries = #members > 0 and redis.call('HMGET', KEYS[4], unpack(members)) or {}
local results, held = {}, {}
for n, member in ipairs(members) do
  local at = 11 * n - 4
  local is_held = entries[n] == ARGV[at + 2] and not held[member]
  results[n] = is_held and 1 or 0
  if is_held then
    local tenant = ARGV[at]
    held[member] = true
    held[#held + 1] = member
    if not settled[tenant] then
      settled[tenant] = {}
      tenants[#tenants + 1] = tenant
    end
    table.insert(settled[tenant], at)
  end
end

local function settle_one(queue, at, over, ready)
  local tenant, conversation, id, action = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  note(tenant, ARGV[at + 5])
  if action == 'again' then
    wait(queue, tenant .. '\31' .. conversation, id, at)
    return
  end
  if action == 'dead' then
    bury(queue, tenant, conversation, id, at)
  end
  local lane = queue .. ':lane:' .. conversation
  redis.call('LPOP', lane)
  over[#over + 1] = id
  if redis.call('EXISTS', lane) == 1 then
    ready[#ready + 1] = conversation
  end
  if ARGV[at + 10] ~= '' then
    tell(tenant, ARGV[at + 10], action, at)
  end
end

local function settle_all(tenant, places)
  local queue, over, ready = ARGV[2] .. tenant .. ':' .. ARGV[3], {}, {}
  if redis.call('HINCRBY', KEYS[5], tenant, -#places) <= 0 then
    redis.call('HDEL', KEYS[5], tenant)
  end
  for _, at in ipairs(places) do
    settle_one(queue, at, over, ready)
  end
  if #over > 0 then
    redis.call('XDEL', queue, unpack(over))
    if redis.call('EXISTS', queue .. ':attempts') == 1 then
      for _, id in ipairs(over) do
        redis.call('HDEL', queue .. ':attempts', id, id .. ':u')
      end
    end
  end
  if #ready > 0 then
    redis.call('RPUSH', queue .. ':ready', unpack(ready))
  end
  return #ready > 0 or redis.call('EXISTS', queue .. ':ready') == 1
end

local ring = {}
if #held > 0 then
  redis.call('HDEL', KEYS[4], unpack(held))
  for _, tenant in ipairs(tenants) do
    if settle_all(tenant, settled[tenant]) then
      ring[#ring + 1] = now_us
      ring[#ring + 1] = tenant
    end
  end
  if #ring > 0 then
    redis.call('ZADD', KEYS[2], 'NX', unpack(ring))
  end
  for n, is_held in ipairs(results) do
    local record = ARGV[11 * n]
    if is_held == 1 and record ~= '' then
      redis.call('XADD', KEYS[6], '*', 'r', record, 'o', '')
    end
  end
end

local opened = {}
for tenant, seen in pairs(signs) do
  if judge(tenant, seen) then
    opened[#opened + 1] = tenant
  end
end
return {'ok', results, opened, #ring > 0 and 1 or 0}
