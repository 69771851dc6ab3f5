export { RedisKeys } from './redis-key.js';
export type { RedisSection } from './redis-monitoring.js';
export { RedisModule } from './redis.module.js';
export { RedisScript, type ScriptArgument } from './redis-script.js';
export { RedisService, type RedisStats, RedisUnavailableError } from './redis.service.js';
