-- Let the text of a stream grow, and queue that this is shown, unless that is queued already.
--
-- KEYS 1 ledger   2 state of the stream (hash)   3 its text (string)   4 the tenant's open streams
--      5 the shard's open streams   6 queue   7 lane   8 ready lanes of the tenant   9 ring
-- ARGV 1 tenant   2 stream   3 conversation   4 shape that says that it is open   5 text | delta
--      6 the text or delta   7 its characters   8 offset of the delta   9 ttl, ms
--      10 most characters   11 most open streams   12 wake channel   13 wake message
--      14 id and 15 payload of the delivery that shows it
-- Answers {ok, characters} | {closed} | {full} | {long} | {elsewhere, the text}.
if redis.call('HGET', KEYS[1], 'shape') ~= ARGV[4] or redis.call('HEXISTS', KEYS[2], 'closed') == 1 then
  return {'closed'}
end
if redis.call('SISMEMBER', KEYS[4], ARGV[2]) == 0
  and redis.call('SCARD', KEYS[4]) >= tonumber(ARGV[11]) then
  return {'full'}
end
local length = tonumber(redis.call('HGET', KEYS[2], 'length') or 0)
local grown, changed = tonumber(ARGV[7]), true
if ARGV[5] == 'delta' then
  if length ~= tonumber(ARGV[8]) then
    return {'elsewhere', redis.call('GET', KEYS[3]) or ''}
  end
  grown, changed = length + grown, grown > 0
end
if grown > tonumber(ARGV[10]) then
  return {'long'}
end
if ARGV[5] == 'delta' then
  redis.call('APPEND', KEYS[3], ARGV[6])
else
  local before = redis.call('GET', KEYS[3]) or ''
  changed = before ~= ARGV[6]
  if string.sub(ARGV[6], 1, #before) ~= before then
    -- What has been shown natively can only grow: the rest waits for the end.
    redis.call('HSET', KEYS[2], 'rewritten', 1)
  end
  redis.call('SET', KEYS[3], ARGV[6])
end

local time = redis.call('TIME')
redis.call('HSET', KEYS[2], 'length', grown)
redis.call('PEXPIRE', KEYS[2], ARGV[9])
redis.call('PEXPIRE', KEYS[3], ARGV[9])
redis.call('SADD', KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[5], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1] .. '\31' .. ARGV[2])
if changed then
  redis.call('HINCRBY', KEYS[2], 'version', 1)
  if redis.call('HSETNX', KEYS[2], 'pending', 1) == 1 then
    local id = redis.call('XADD', KEYS[6], '*', 'i', ARGV[14], 'p', ARGV[15])
    if redis.call('RPUSH', KEYS[7], id) == 1 then
      redis.call('RPUSH', KEYS[8], ARGV[3])
      if redis.call('ZADD', KEYS[9], 'NX', time[1] * 1000000 + time[2], ARGV[1]) == 1 then
        redis.call('PUBLISH', ARGV[12], ARGV[13])
      end
    end
  end
end
return {'ok', grown}
