import { RedisScript } from '../redis/index.js';

// An entry is a hash: g generation, v value as BSON, t time of storage in ms by the server's clock. A
// generation is the server's time in microseconds, so that it increases even if the server has lost the
// previous one.

const clock = `
local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end
local function text(number) return string.format('%.0f', number) end
`;

/** KEYS entry, generation. Returns [ms left, g, v, t, current generation]; missing ones are empty. */
export const readEntry = new RedisScript(`
local reply = {redis.call('PTTL', KEYS[1])}
for i, field in ipairs(redis.call('HMGET', KEYS[1], 'g', 'v', 't')) do reply[i + 1] = field or '' end
reply[5] = redis.call('GET', KEYS[2]) or ''
return reply
`);

/**
 * KEYS entry, lock, generation. ARGV token, lock ms, generation ms, trusted since ms. Returns [`hit`,
 * generation] if there is a valid entry, [`load`, generation] if the caller may load, or [`wait`, generation]
 * while another process loads in this generation.
 */
export const beginLoad = new RedisScript(`${clock}
local gen = redis.call('GET', KEYS[3])
if gen then
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
else
  gen = text(now_us())
  redis.call('SET', KEYS[3], gen, 'PX', ARGV[3])
end
local e = redis.call('HMGET', KEYS[1], 'g', 't')
if e[1] == gen and tonumber(e[2]) >= tonumber(ARGV[4]) then return {'hit', gen} end
local held = redis.call('GET', KEYS[2])
if held and string.sub(held, -#gen - 1) == '|' .. gen then return {'wait', gen} end
redis.call('SET', KEYS[2], ARGV[1] .. '|' .. gen, 'PX', ARGV[2])
return {'load', gen}
`);

/**
 * KEYS entry, lock, generation. ARGV token, generation, ttl ms, value. Stores the loaded value and returns 1,
 * unless the load was cancelled (its lock is gone) or the tenant was invalidated in the meantime.
 */
export const finishLoad = new RedisScript(`${clock}
if redis.call('GET', KEYS[2]) ~= ARGV[1] .. '|' .. ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
if redis.call('GET', KEYS[3]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'g', ARGV[2], 'v', ARGV[4], 't', text(math.floor(now_us() / 1000)))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`);

/** KEYS lock. ARGV token. Releases the lock after a failed load, so that another process can load. */
export const abandonLoad = new RedisScript(`
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then redis.call('DEL', KEYS[1]) end
return 1
`);

/**
 * KEYS entry, lock. ARGV channel, message. Deletes the entry, and prevents a load in progress from storing
 * what it has already read.
 */
export const deleteEntry = new RedisScript(`
redis.call('UNLINK', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
`);

/**
 * KEYS generation. ARGV floor, generation ms, channel, message before and after the number. Returns the new
 * generation, which is greater than the floor.
 */
export const renewGeneration = new RedisScript(`${clock}
local g = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, tonumber(ARGV[1]) + 1, now_us())
redis.call('SET', KEYS[1], text(g), 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4] .. text(g) .. ARGV[5])
return text(g)
`);
