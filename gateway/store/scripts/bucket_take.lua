-- Take one call out of a bucket (GCRA), or tell when there will be one.
--
-- KEYS 1 bucket (string, TAT in us).  ARGV 1 interval, us   2 burst of which something is left
-- Answers 0, or the us to wait.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now_us) + interval
local wait = tat - now_us - interval * tonumber(ARGV[2])
if wait > 0 then
  return wait
end
redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now_us) / 1000) + 1)
return 0
