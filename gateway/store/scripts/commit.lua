-- Commit one decision: dedupe, quota, queue and audit record, all or nothing.
--
-- KEYS 1 queue (stream)   2 lane (list of entry ids)   3 ready lanes of the tenant (list)
--      4 ring of tenants (zset)   5 audit (stream)   6 quota (string, TAT in us)   7.. dedupe keys
-- ARGV 1 tenant   2 conversation   3 audit record   4 dedupe value   5 dedupe ttl, ms
--      6 quota interval, us (0: none)   7 quota burst   8 most entries in the queue
--      9 wake channel   10 wake message   11 what a full queue does (refuse | drop)
--      12.. pairs of delivery id, payload
-- Answers {outcome, dedupe value of the first commit}.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]

local function audit(outcome)
  redis.call('XADD', KEYS[5], '*', 'r', ARGV[3], 'o', outcome)
end

for i = 7, #KEYS do
  local first = redis.call('GET', KEYS[i])
  if first then
    audit('duplicate')
    return {'duplicate', first}
  end
end

local entries = (#ARGV - 11) / 2
if redis.call('XLEN', KEYS[1]) + entries > tonumber(ARGV[8]) then
  if ARGV[11] == 'drop' then
    audit('queue_full')
    return {'queue_full', ''}
  end
  return {'full', ''}
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

for i = 7, #KEYS do
  redis.call('SET', KEYS[i], ARGV[4], 'PX', ARGV[5])
end
for i = 12, #ARGV, 2 do
  local id = redis.call('XADD', KEYS[1], '*', 'i', ARGV[i], 'p', ARGV[i + 1])
  -- A lane that was empty is neither waiting nor in flight: only then may it become ready.
  if redis.call('RPUSH', KEYS[2], id) == 1 then
    redis.call('RPUSH', KEYS[3], ARGV[2])
    if redis.call('ZADD', KEYS[4], 'NX', now_us, ARGV[1]) == 1 then
      redis.call('PUBLISH', ARGV[9], ARGV[10])
    end
  end
end
audit('accepted')
return {'accepted', ARGV[4]}
