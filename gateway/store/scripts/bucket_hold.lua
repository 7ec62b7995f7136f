-- Let a bucket grant nothing for a while; then its calls come one by one. Never shortens a wait.
--
-- KEYS 1 bucket (string, TAT in us).  ARGV 1 how long, us: the platform's word and a whole burst
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now_us + ARGV[1])
redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now_us) / 1000) + 1)
return 1
