-- Record a decision that leads nowhere, and remember what was said all the same. With history.lua.
--
-- KEYS 1 audit (stream)   2.. lists of the history
--      and last, with a premise: the look-up key of a workspace (hash)
-- ARGV 1 audit record   2 the premise: the binding that must stand at the last key ('' for none)
--      3 how many lists; if any, 4-9 what becomes of them, see history.lua
-- Answers 1; 0 when the binding is another than the decision was built upon, and nothing is stored
if ARGV[2] ~= '' and redis.call('HGET', KEYS[#KEYS], 'b') ~= ARGV[2] then
  return 0
end
redis.call('XADD', KEYS[1], '*', 'r', ARGV[1], 'o', '')
for i = 2, 1 + tonumber(ARGV[3]) do
  remember(KEYS[i], 4)
end
return 1
