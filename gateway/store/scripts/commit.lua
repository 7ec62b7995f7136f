-- Commit one decision: dedupe, quota, queue, history and audit record, all or nothing. With
-- history.lua.
--
-- KEYS 1 queue (stream)   2 lane (list of entry ids)   3 ready lanes of the tenant (list)
--      4 ring of tenants (zset)   5 audit (stream)   6 quota (string, TAT in us)   7.. lists of the
--      history, if any; then dedupe keys
--      and, when there are ledgers: the list of the tenant's ledgers (list), the ledgers (hashes)
--      and last, with a premise: the look-up key of a workspace (hash)
-- ARGV 1 tenant   2 conversation   3 audit record   4 dedupe value   5 dedupe ttl, ms
--      6 quota interval, us (0: none)   7 quota burst   8 most entries in the queue
--      9 wake channel ('' for none)   10 wake message   11 what a full queue does (refuse | drop)
--      12 how many ledgers   13 their ttl, ms   14 most of them per tenant
--      15 the premise: the binding that must stand at the last key ('' for none)
--      16 how many lists of the history; if any, 17-22 what becomes of them, see history.lua
--      then per ledger: the shape that it must have ('' for a new one), how many values follow, and
--      those: field, value, ...;  then pairs of delivery id, payload
-- Answers {outcome, dedupe value of the first commit}; outcome `moved` when the binding is another, or
-- a ledger has another shape, than the decision was built upon.
local last_key = #KEYS
if ARGV[15] ~= '' then
  -- Before anything is read of the tenant: whose the event is, is the first question.
  if redis.call('HGET', KEYS[last_key], 'b') ~= ARGV[15] then
    return {'moved', ''}
  end
  last_key = last_key - 1
end

local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]

local function audit(outcome)
  redis.call('XADD', KEYS[5], '*', 'r', ARGV[3], 'o', outcome)
end

local ledgers = tonumber(ARGV[12])
local last_dedupe = ledgers > 0 and last_key - ledgers - 1 or last_key
local lists = tonumber(ARGV[16])
local first_dedupe, first_ledger = 7 + lists, lists > 0 and 23 or 17
if first_dedupe <= last_dedupe then
  for _, first in ipairs(redis.call('MGET', unpack(KEYS, first_dedupe, last_dedupe))) do
    if first then
      audit('duplicate')
      return {'duplicate', first}
    end
  end
end

local from = first_ledger
for i = last_key - ledgers + 1, last_key do
  if ARGV[from] ~= '' and redis.call('HGET', KEYS[i], 'shape') ~= ARGV[from] then
    return {'moved', ''}
  end
  from = from + 2 + ARGV[from + 1]
end

local entries = (#ARGV - from + 1) / 2
if redis.call('XLEN', KEYS[1]) + entries > tonumber(ARGV[8]) then
  if ARGV[11] == 'drop' then
    audit('queue_full')
    return {'queue_full', ''}
  end
  return {'full', ''}
end

-- Before anything is changed: while its slot moves to another node of a cluster the oldest ledger may
-- not be here any more, and then the script ends with its removal.
if ledgers > 0 and redis.call('LLEN', KEYS[last_dedupe + 1]) >= tonumber(ARGV[14]) then
  redis.call('DEL', redis.call('LINDEX', KEYS[last_dedupe + 1], 0))
  redis.call('LPOP', KEYS[last_dedupe + 1])
end

local interval = tonumber(ARGV[6])
if interval > 0 then
  local tat = math.max(tonumber(redis.call('GET', KEYS[6]) or 0), now_us) + interval
  if tat - now_us > interval * tonumber(ARGV[7]) then
    audit('rate_limited')
    return {'rate_limited', ''}
  end
  redis.call('SET', KEYS[6], string.format('%.0f', tat), 'PX', math.ceil((tat - now_us) / 1000) + 1)
end

for i = first_dedupe, last_dedupe do
  redis.call('SET', KEYS[i], ARGV[4], 'PX', ARGV[5])
end
local at = first_ledger
for i = last_key - ledgers + 1, last_key do
  local values = tonumber(ARGV[at + 1])
  redis.call('HSET', KEYS[i], unpack(ARGV, at + 2, at + 1 + values))
  redis.call('PEXPIRE', KEYS[i], ARGV[13])
  if ARGV[at] == '' then
    redis.call('RPUSH', KEYS[last_dedupe + 1], KEYS[i])
  end
  at = at + 2 + values
end
local history = lists > 0 and recall(KEYS[7], 17)
for i = from, #ARGV, 2 do
  local payload = ARGV[i + 1]
  if history then
    -- A JSON object, as all is that agents are sent: it gets one more member before its end.
    payload = string.sub(payload, 1, -2) .. ',"history":[' .. history .. ']}'
  end
  local id = redis.call('XADD', KEYS[1], '*', 'i', ARGV[i], 'p', payload)
  -- A lane that was empty is neither waiting nor in flight: only then may it become ready.
  if redis.call('RPUSH', KEYS[2], id) == 1 then
    redis.call('RPUSH', KEYS[3], ARGV[2])
    if redis.call('ZADD', KEYS[4], 'NX', now_us, ARGV[1]) == 1 and ARGV[9] ~= '' then
      redis.call('PUBLISH', ARGV[9], ARGV[10])
    end
  end
end
for i = 7, first_dedupe - 1 do
  remember(KEYS[i], 17)
end
audit('accepted')
return {'accepted', ARGV[4]}
