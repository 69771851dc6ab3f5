import { RedisScript } from '../redis/index.js';

// An entry is a hash: g generations, v value as BSON (absent: there is none), s stale time in ms, l local time to live in ms,
// t when it was stored by the server's clock in ms. A generation is a number in microseconds of the server's clock: it only grows, also
// when the server lost the one before.

const clock = `
local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end
local function text(number) return string.format('%.0f', number) end
`;

/** Generations of KEYS[first..]; those that are missing are made. */
const generations = `
local function generations(first, ttl)
  local found = {}
  for i = first, #KEYS do
    local g = redis.call('GET', KEYS[i])
    if g then
      redis.call('PEXPIRE', KEYS[i], ttl)
    else
      g = text(now_us())
      redis.call('SET', KEYS[i], g, 'PX', ttl)
    end
    found[#found + 1] = g
  end
  return found
end
`;

/** KEYS entry, generations… Answers [ms left, g, v, s, l, t, generations…]; what is missing is empty. */
export const readEntry = new RedisScript(`
local reply = {redis.call('PTTL', KEYS[1])}
for i, field in ipairs(redis.call('HMGET', KEYS[1], 'g', 'v', 's', 'l', 't')) do reply[i + 1] = field or '' end
for i = 2, #KEYS do reply[i + 5] = redis.call('GET', KEYS[i]) or '' end
return reply
`);

/**
 * KEYS entry, lock, generations… ARGV token, lock ms, generation ms, distrust before ms, how (`ask` or `steal`). Answers [`hit`] when a
 * fresh entry is there, or [`load`, generations…] to the one who is to load, or [`wait`, generations…] while another loads for the same
 * generations. `steal` always answers `load`, and cancels the load of another.
 */
export const beginLoad = new RedisScript(`${clock}${generations}
local gens = generations(3, ARGV[3])
local current = table.concat(gens, ',')
if ARGV[5] ~= 'steal' then
  local e = redis.call('HMGET', KEYS[1], 'g', 's', 't')
  if e[1] == current and tonumber(e[3]) >= tonumber(ARGV[4]) then
    if redis.call('PTTL', KEYS[1]) > tonumber(e[2]) then return {'hit'} end
  end
  local held = redis.call('GET', KEYS[2])
  if held and string.sub(held, -#current - 1) == '|' .. current then return {'wait', unpack(gens)} end
end
redis.call('SET', KEYS[2], ARGV[1] .. '|' .. current, 'PX', ARGV[2])
return {'load', unpack(gens)}
`);

/**
 * KEYS entry, lock, generations… ARGV token, generations, ttl ms, stale ms, local ms, value?. Stores what was loaded unless the
 * load was cancelled (its lock is gone) or something was invalidated meanwhile; answers 1 when it was stored.
 */
export const finishLoad = new RedisScript(`${clock}
if redis.call('GET', KEYS[2]) ~= ARGV[1] .. '|' .. ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
local gens = {}
for i = 3, #KEYS do gens[#gens + 1] = redis.call('GET', KEYS[i]) or '' end
if table.concat(gens, ',') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'g', ARGV[2], 's', ARGV[4], 'l', ARGV[5], 't', text(math.floor(now_us() / 1000)))
if ARGV[6] then redis.call('HSET', KEYS[1], 'v', ARGV[6]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`);

/** KEYS lock. ARGV token. Lets the next one load, after a load that failed. */
export const abandonLoad = new RedisScript(`
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then redis.call('DEL', KEYS[1]) end
return 1
`);

/** KEYS entry, lock. ARGV channel, message. Deletes the entry, and keeps a load under way from storing what it read before. */
export const deleteEntry = new RedisScript(`
redis.call('UNLINK', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
`);

/** KEYS generation. ARGV floor, generation ms, channel, message before and after the number. Answers the new generation. */
export const renewGeneration = new RedisScript(`${clock}
local g = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, tonumber(ARGV[1]) + 1, now_us())
redis.call('SET', KEYS[1], text(g), 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4] .. text(g) .. ARGV[5])
return text(g)
`);
