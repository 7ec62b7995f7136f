-- Record a decision that leads nowhere, and remember what was said all the same. With history.lua.
--
-- KEYS 1 audit (stream)   2.. lists of the history
-- ARGV 1 audit record   2 how many lists   3-8 what becomes of them, see history.lua
redis.call('XADD', KEYS[1], '*', 'r', ARGV[1], 'o', '')
for i = 2, #KEYS do
  remember(KEYS[i], 3)
end
return 1
