import { RedisScript } from '../redis/index.js';

// One hash per participant: i id, c createdAt (ms), v version, x expiresAt (ms), u updatedAt (ms), n
// conversation id or empty, d goals and context as JSON. A deleted session leaves a tombstone with only i, c
// and v, where v is greater than any version.

/** Version of a tombstone: no put of the same session can be newer. */
export const TOMBSTONE_VERSION = Number.MAX_SAFE_INTEGER;

const behind = `
local function behind(id, created, version, i, c, v)
  if id == i then return tonumber(version) < (tonumber(v) or 0) end
  local difference = tonumber(created) - (tonumber(c) or 0)
  return difference < 0 or (difference == 0 and id < i)
end`;

export const PUT_OLDER = 0;

/**
 * Stores an entry unless it is an older version than the one present, or belongs to a session created before
 * it. Arguments: id, createdAt, version, expiresAt, updatedAt, conversation id, content, time to live (ms),
 * channel to notify (empty for none), message. Returns PUT_OLDER if the entry was rejected.
 */
export const putScript = new RedisScript(`${behind}
local id, created, version = ARGV[1], ARGV[2], ARGV[3]
local present = redis.call('HMGET', KEYS[1], 'i', 'c', 'v')
if present[1] and behind(id, created, version, present[1], present[2], present[3]) then return 0 end
if present[1] ~= id or present[3] ~= version then
  redis.call('HSET', KEYS[1], 'i', id, 'c', created, 'v', version, 'x', ARGV[4], 'u', ARGV[5], 'n', ARGV[6], 'd', ARGV[7])
end
redis.call('PEXPIRE', KEYS[1], ARGV[8])
if ARGV[9] ~= '' then redis.call('PUBLISH', ARGV[9], ARGV[10]) end
return 1`);

/**
 * Reads an entry and extends its time to live. Arguments: now (ms), maximum time to live (ms). Returns i, c,
 * v, x, u, n, d, or nothing.
 */
export const readScript = new RedisScript(`
local entry = redis.call('HMGET', KEYS[1], 'i', 'c', 'v', 'x', 'u', 'n', 'd')
if not entry[7] then return false end
local left = (tonumber(entry[4]) or 0) - tonumber(ARGV[1])
if left <= 0 then
  redis.call('DEL', KEYS[1])
  return false
end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.min(left, tonumber(ARGV[2]))))
return entry`);

/** Deletes the entry if it is this version of this session. Arguments: id, version. */
export const dropScript = new RedisScript(`
local present = redis.call('HMGET', KEYS[1], 'i', 'v')
if redis.call('HEXISTS', KEYS[1], 'd') == 1 and present[1] == ARGV[1] and present[2] == ARGV[2] then
  return redis.call('DEL', KEYS[1])
end
return 0`);

/** Deletes the entry unless it is a tombstone. */
export const clearScript = new RedisScript(`
if redis.call('HEXISTS', KEYS[1], 'd') == 1 then return redis.call('DEL', KEYS[1]) end
return 0`);

/**
 * Replaces a deleted session, or an older one, with a tombstone. A session created later is kept. Arguments:
 * id, createdAt, time to live (ms), channel, message.
 */
export const deleteScript = new RedisScript(`${behind}
local id, created = ARGV[1], ARGV[2]
local present = redis.call('HMGET', KEYS[1], 'i', 'c', 'v')
if not present[1] or present[1] == id or not behind(id, created, 0, present[1], present[2], present[3]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'i', id, 'c', created, 'v', '${TOMBSTONE_VERSION}')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1`);
