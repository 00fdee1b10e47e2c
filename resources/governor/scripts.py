"""What the workers agree on, as scripts that Redis runs whole: each sees and changes the shared state alone.

All moments are microseconds of Redis' own clock (TIME); of the workers' clocks only spans are used.

The bucket is a log of slots. A request takes one before it is sent, and gives it back a second after the last moment at
which it can have arrived: its answer's arrival, less a part of the least time that the server ever took for such a request.
With n slots, n + 1 requests that arrive within one second would all hold one at the arrival of the last: there is no such
second, whatever a worker, the network or the server delays. A slot of which the end is known is handed out before it is
free, with how long to wait: waiting costs no polling.
"""

from __future__ import annotations

# A slot whose worker says nothing more is free after this: its request arrived long ago, or never will.
LEASE = 10_000_000
# A request counts as in flight for so long after its worker said so last.
FLIGHT = 3_000_000
# A slot is handed out at most so long before it is free.
AHEAD = 1_000_000
# When Redis lost what it knew, so long nothing is handed out: a slot that was handed out before, and its second.
SILENCE = 2_200_000
# When a worker comes back that went on by itself: the others notice within half a second, and then a second passes.
RETURN = 1_700_000
# Workers that asked for nothing for so long are no longer counted.
WORKER_LIFE = 60_000_000
# What the watch said counts for so long; it speaks at least every few seconds while it lives.
SCALE_LIFE = 60_000_000
# What the server said that is left of the day is asked for again after this: other programs' requests are in it, too.
REMAINING_LIFE = 900_000

# KEYS: state, slots, flights, workers, requests of the day, remaining.
# ARGV: id, worker, requests a second, concurrency, requests a day (0: any), since, until, end of the day, remaining that is
# left to others, whether somebody watches, the state's name that the worker knows ('': none), its last number, requests that
# it sent by itself (-1: it was never alone), then the ages of the latest of them.
# Answers {'calendar', now}: other limits hold; or {word, wait, name and number of the state, …, now}: 'spent', 'open', 'wait'
# (then ask again), or 'go' with how long a slot is kept after the arrival, whether it is the probe, workers, requests of the day, slots.
ACQUIRE = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
if now < tonumber(ARGV[6]) or now >= tonumber(ARGV[7]) then return {{'calendar', text(now)}} end
local known = redis.call('HMGET', KEYS[1], 'name', 'number', 'not_before', 'paused_until', 'scale', 'scaled_at', 'circuit',
  'open_until', 'probed_until', 'last', 'returned_at')
local name, number = known[1], tonumber(known[2] or '0')
local not_before = tonumber(known[3] or '0')
local function silence(span)
  not_before = math.max(not_before, now + span)
  redis.call('HSET', KEYS[1], 'not_before', text(not_before))
end
if not name then
  name = ARGV[1]
  redis.call('HSET', KEYS[1], 'name', name)
  local said, server = pcall(redis.call, 'INFO', 'server')
  local up = said and type(server) == 'string' and tonumber(string.match(server, 'uptime_in_seconds:(%d+)'))
  if ARGV[11] ~= '' or (up and up < 5) then silence({SILENCE}) end
elseif ARGV[11] ~= '' and (ARGV[11] ~= name or tonumber(ARGV[12]) > number) then
  silence({SILENCE})
  if ARGV[11] == name then number = tonumber(ARGV[12]) end
  redis.call('HSET', KEYS[1], 'number', text(number))
end
local rate = tonumber(ARGV[3])
local scale = tonumber(known[5] or '1')
if ARGV[10] == '1' and now - tonumber(known[6] or '0') < {SCALE_LIFE} then rate = rate * scale end
local slots, kept = math.floor(rate), 1000000
if rate < 1 then slots, kept = 1, 1000000 / rate end
local own = tonumber(ARGV[13])
if own >= 0 then
  for each = 14, #ARGV do
    local ends = now - tonumber(ARGV[each]) + kept
    if ends > now then redis.call('ZADD', KEYS[2], text(ends), ARGV[1] .. '/' .. each) end
  end
  if own > 0 then redis.call('INCRBY', KEYS[5], own) end
  if now - tonumber(known[11] or '0') > 5000000 then
    silence({RETURN})
    redis.call('HSET', KEYS[1], 'returned_at', text(now))
  end
end
redis.call('ZADD', KEYS[4], text(now), ARGV[2])
local probe = 0
if known[7] == 'open' then
  local ends = math.max(tonumber(known[8]), tonumber(known[9] or '0'))
  if now < ends then return {{'open', text(ends - now), name, text(number), text(now)}} end
  probe = 1
end
local used = tonumber(redis.call('GET', KEYS[5]) or '0')
if tonumber(ARGV[5]) > 0 and used >= tonumber(ARGV[5]) then
  return {{'spent', text(tonumber(ARGV[8]) - now), name, text(number), text(now)}}
end
local remaining = tonumber(redis.call('GET', KEYS[6]) or '')
if remaining and remaining <= tonumber(ARGV[9]) then
  local life = redis.call('PTTL', KEYS[6]) * 1000
  return {{'spent', text(math.min(tonumber(ARGV[8]) - now, life)), name, text(number), text(now)}}
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now))
local soon = math.min(math.max(1000000 / rate / 2, 5000), 50000)
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[4]) then return {{'wait', text(soon), name, text(number), text(now)}} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now))
local at = math.max(now, not_before, tonumber(known[4] or '0'), tonumber(known[10] or '0') + 500000 / rate)
local held = redis.call('ZCARD', KEYS[2])
if held >= slots then
  local free = redis.call('ZRANGE', KEYS[2], held - slots, held - slots, 'WITHSCORES')
  at = math.max(at, tonumber(free[2]))
  if at > now + {AHEAD} and tonumber(free[2]) > now + kept then return {{'wait', text(soon), name, text(number), text(now)}} end
end
if at > now + {AHEAD} then return {{'wait', text(at - now - {AHEAD} / 2), name, text(number), text(now)}} end
number = number + 1
redis.call('HSET', KEYS[1], 'number', text(number), 'last', text(at))
if probe == 1 then redis.call('HSET', KEYS[1], 'probed_until', text(at + {LEASE})) end
redis.call('ZADD', KEYS[2], text(at + {LEASE} + kept), ARGV[1])
redis.call('ZADD', KEYS[3], text(at + {FLIGHT}), ARGV[1])
used = redis.call('INCR', KEYS[5])
if remaining then redis.call('DECR', KEYS[6]) end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', text(now - {WORKER_LIFE}))
for _, key in ipairs({{KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}}) do redis.call('EXPIRE', key, 172800) end
return {{'go', text(at - now), name, text(number), text(kept), text(probe), text(redis.call('ZCARD', KEYS[4])), text(used),
  text(slots), text(now)}}
"""

# KEYS: as above. ARGV: id, how long a slot is kept after the arrival, how long ago it must have arrived, how it went
# ('ok', 'failed', 'busy' or 'unsent'), pause, remaining ('': not said), whether it was the probe, failures that open the
# circuit, their window, first time until a probe, requests a second. Answers the circuit: '', 'opened', 'closed'.
SETTLE = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
local how = ARGV[4]
if how == 'unsent' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('DECR', KEYS[5])
  if ARGV[7] == '1' then redis.call('HDEL', KEYS[1], 'probed_until') end
  return ''
end
local ends = now - tonumber(ARGV[3]) + tonumber(ARGV[2])
if ends > now then redis.call('ZADD', KEYS[2], text(ends), ARGV[1]) else redis.call('ZREM', KEYS[2], ARGV[1]) end
redis.call('ZREM', KEYS[3], ARGV[1])
local pause = tonumber(ARGV[5])
if pause > 0 then
  local until_ = math.max(now + pause, tonumber(redis.call('HGET', KEYS[1], 'paused_until') or '0'))
  redis.call('HSET', KEYS[1], 'paused_until', text(until_))
end
if ARGV[6] ~= '' then redis.call('SET', KEYS[6], ARGV[6], 'PX', {REMAINING_LIFE}) end
local known = redis.call('HMGET', KEYS[1], 'circuit', 'window', 'seen', 'failed', 'tries')
if known[1] == 'open' then
  if ARGV[7] ~= '1' then return '' end
  if how ~= 'failed' then
    redis.call('HDEL', KEYS[1], 'circuit', 'open_until', 'probed_until', 'tries', 'window', 'seen', 'failed')
    return 'closed'
  end
  local tries = tonumber(known[5] or '0') + 1
  local wait = tonumber(ARGV[10]) * math.min(2 ^ tries, 10)
  redis.call('HDEL', KEYS[1], 'probed_until')
  redis.call('HSET', KEYS[1], 'open_until', text(now + wait), 'tries', text(tries))
  return 'opened'
end
local window, seen, failed = tonumber(known[2] or '0'), tonumber(known[3] or '0'), tonumber(known[4] or '0')
if now - window > tonumber(ARGV[9]) then window, seen, failed = now, 0, 0 end
seen = seen + 1
if how == 'failed' then failed = failed + 1 end
if how == 'failed' and failed >= tonumber(ARGV[8]) and failed * 2 >= seen then
  redis.call('HDEL', KEYS[1], 'window', 'seen', 'failed', 'probed_until')
  redis.call('HSET', KEYS[1], 'circuit', 'open', 'open_until', text(now + tonumber(ARGV[10])), 'tries', '0')
  return 'opened'
end
redis.call('HSET', KEYS[1], 'window', text(window), 'seen', text(seen), 'failed', text(failed))
return ''
"""

# KEYS: flights. ARGV: ids of requests that are in flight still.
PULSE = f"""
local time = redis.call('TIME')
local ends = string.format('%.0f', time[1] * 1000000 + time[2] + {FLIGHT})
for _, id in ipairs(ARGV) do redis.call('ZADD', KEYS[1], ends, id) end
return #ARGV
"""

# KEYS: state, lease of the watch. ARGV: watcher, life of the lease in milliseconds. Answers 1 where it may watch.
ELECT = """
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS: state, lease. ARGV: watcher, factor, step, least, percentile in milliseconds. The share of the rate that is left:
# multiplied or raised, and never above 1. Answers it in millionths, or -1 where another watches.
SCALE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local scale = tonumber(redis.call('HGET', KEYS[1], 'scale') or '1')
scale = math.min(math.max(scale * tonumber(ARGV[2]) + tonumber(ARGV[3]), tonumber(ARGV[4])), 1)
redis.call('HSET', KEYS[1], 'scale', string.format('%.6f', scale), 'scaled_at', string.format('%.0f', now),
  'readers_ms', ARGV[5])
redis.call('EXPIRE', KEYS[1], 172800)
return math.floor(scale * 1000000 + 0.5)
"""

# KEYS: state. Answers its fields, with the time.
STATE = """
local time = redis.call('TIME')
return {string.format('%.0f', time[1] * 1000000 + time[2]), redis.call('HGETALL', KEYS[1])}
"""
