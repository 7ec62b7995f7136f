-- What is remembered of conversations. A prelude of scripts that decide: put in front of their text,
-- it does nothing by itself.
--
-- A list holds JSON objects, oldest first. What is to be done with the lists stands in six ARGV:
--   carry ('' | copy | take: copy and empty)   write ('' | add | replace | remove)
--   how the entry of this message begins   its entry   most entries   time to live, ms

-- What the delivery of a message brings along from `list`, as the inside of a JSON array; else nil.
local function recall(list, at)
  if ARGV[at] == '' then
    return nil
  end
  local own, found = ARGV[at + 2], {}
  local all = redis.call('LRANGE', list, -tonumber(ARGV[at + 4]), -1)
  for _, entry in ipairs(all) do
    -- Without itself: an edit may find the message that it changes.
    if string.sub(entry, 1, #own) ~= own then
      found[#found + 1] = entry
    end
  end
  if #all > 0 and ARGV[at] == 'take' then
    redis.call('DEL', list)
  end
  return found[1] and table.concat(found, ',')
end

local function place_of(list, own)
  for i, entry in ipairs(redis.call('LRANGE', list, 0, -1)) do
    if string.sub(entry, 1, #own) == own then
      return i - 1, entry
    end
  end
end

local function remember(list, at)
  local write = ARGV[at + 1]
  if write == '' then
    return
  end
  local place, known = place_of(list, ARGV[at + 2])
  if place and write == 'remove' then
    redis.call('LREM', list, 1, known)
  elseif place then
    -- Also for add: an event that comes twice is still one message.
    redis.call('LSET', list, place, ARGV[at + 3])
  elseif write == 'add' then
    redis.call('RPUSH', list, ARGV[at + 3])
    redis.call('LTRIM', list, -tonumber(ARGV[at + 4]), -1)
    redis.call('PEXPIRE', list, ARGV[at + 5])
  end
end
