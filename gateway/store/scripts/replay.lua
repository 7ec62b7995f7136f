-- Put a dead letter back at the end of its lane, under the same delivery id.
--
-- KEYS 1 dead letters   2 their ids   3 queue   4 lane   5 ready lanes   6 ring   7 audit
--      8 attempts   9 ledger of the request, if it has one   10 ledger of the message that it
--      changes, for an edit
-- ARGV 1 letter   2 tenant   3 conversation   4 audit record   5 wake channel   6 wake message
--      7 its name in the ledger: a part of the message, or that and what is done to it
--      8 the change that it belongs to, for an edit
-- Answers 1, or 0 when somebody else has replayed or discarded it, when the part that it would post
-- has been removed from its message since, and when that message has been changed anew.
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then
  return 0
end
if KEYS[10] and (redis.call('HGET', KEYS[10], 'change') or ARGV[8]) ~= ARGV[8] then
  return 0
end
local shape = KEYS[9] and redis.call('HGET', KEYS[9], 'shape')
if shape then
  local texts, files = unpack(cjson.decode(shape))
  local part, wanted = tonumber(string.match(ARGV[7], '^%d+')), false
  for _, parts in ipairs({texts, files}) do
    for _, each in ipairs(parts) do
      wanted = wanted or each == part
    end
  end
  if not wanted then
    return 0
  end
end
local time = redis.call('TIME')
local fields = found[2]
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], fields[2])
local id = redis.call('XADD', KEYS[3], '*', 'i', fields[2], 'p', fields[4])
if fields[18] == '1' then
  -- It may have arrived before it was given up: whoever sends it again must look first.
  redis.call('HSET', KEYS[8], id .. ':u', '1')
end
if redis.call('RPUSH', KEYS[4], id) == 1 then
  redis.call('RPUSH', KEYS[5], ARGV[3])
  redis.call('ZADD', KEYS[6], 'NX', time[1] * 1000000 + time[2], ARGV[2])
  redis.call('PUBLISH', ARGV[5], ARGV[6])
end
if KEYS[9] and redis.call('EXISTS', KEYS[9]) == 1 then
  redis.call('HSET', KEYS[9], 'd:' .. ARGV[7], 'q')
end
redis.call('XADD', KEYS[7], '*', 'r', ARGV[4], 'o', '')
return 1
