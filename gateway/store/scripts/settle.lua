-- Settle attempts: remove, schedule again, or move to the dead letters, each with its audit record.
--
-- KEYS 1 lease   2 ring   3 schedule   4 in flight   5 active   6 audit
-- ARGV 1 lease token   2 prefix of tenants' keys   3 direction, then per settlement eight:
--      tenant, conversation, entry id, action (done | again | dead), audit record ('' for none),
--      and for again: delay in ms, counts (0|1), uncertain (0|1);  for dead: reason, detail, attempts
-- Answers {'lost'} when the lease is not ours, else {'ok', 1 or 0 per settlement}; 0: not held by us.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'lost'}
end
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
    'r', ARGV[at + 5], 't', ARGV[at + 6], 'n', ARGV[at + 7])
  redis.call('HSET', dead .. ':ids', entry[2], letter)
end

local function leave(queue, conversation, id)
  local lane = queue .. ':lane:' .. conversation
  redis.call('LPOP', lane)
  redis.call('XDEL', queue, id)
  redis.call('HDEL', queue .. ':attempts', id, id .. ':u')
  if redis.call('EXISTS', lane) == 1 then
    redis.call('RPUSH', queue .. ':ready', conversation)
  end
end

local function wait(queue, member, id, at)
  if ARGV[at + 6] == '1' then
    redis.call('HINCRBY', queue .. ':attempts', id, 1)
    redis.call('HSET', queue .. ':attempts', id .. ':u', ARGV[at + 7])
  end
  redis.call('ZADD', KEYS[3], now_ms + ARGV[at + 5], member)
end

local results = {}
for at = 4, #ARGV, 8 do
  local tenant, conversation, id, action = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local queue = ARGV[2] .. tenant .. ':' .. ARGV[3]
  local member = tenant .. '\31' .. conversation
  local held = redis.call('HGET', KEYS[4], member) == id
  if held then
    redis.call('HDEL', KEYS[4], member)
    if redis.call('HINCRBY', KEYS[5], tenant, -1) <= 0 then
      redis.call('HDEL', KEYS[5], tenant)
    end
    if action == 'again' then
      wait(queue, member, id, at)
    else
      if action == 'dead' then
        bury(queue, tenant, conversation, id, at)
      end
      leave(queue, conversation, id)
    end
    if redis.call('EXISTS', queue .. ':ready') == 1 then
      redis.call('ZADD', KEYS[2], 'NX', now_us, tenant)
    end
    if ARGV[at + 4] ~= '' then
      redis.call('XADD', KEYS[6], '*', 'r', ARGV[at + 4], 'o', '')
    end
  end
  results[#results + 1] = held and 1 or 0
end
return {'ok', results}
