export { type BusListener, InvalidationBus, type InvalidationBusOptions } from './invalidation-bus.js';
export type { Invalidation } from './pending-invalidations.js';
export { RedisKeys } from './redis-key.js';
export type { RedisSection } from './redis-monitoring.js';
export { RedisModule } from './redis.module.js';
export { RedisScript, type ScriptArgument } from './redis-script.js';
export { RedisService, type RedisStats, RedisUnavailableError } from './redis.service.js';
