import { CacheService } from '../../src/cache/index.js';
import { loadSettings } from '../../src/config/index.js';
import { createLogger } from '../../src/logging/index.js';
import { RedisService } from '../../src/redis/index.js';

export interface CacheProcess {
  cache: CacheService;
  redis: RedisService;
  close(): Promise<void>;
}

/** A cache with connections of its own, as another process has it. */
export async function openCache(overrides: Readonly<Record<string, string>> = {}): Promise<CacheProcess> {
  const settings = loadSettings({ NODE_ENV: 'test', ...overrides });
  const logger = createLogger({ level: 'silent', pretty: false });
  const redis = new RedisService(settings.redis, logger);
  const cache = new CacheService(settings.cache, redis, logger);
  await redis.onModuleInit();
  return {
    cache,
    redis,
    async close() {
      await cache.onApplicationShutdown();
      await redis.onApplicationShutdown();
    },
  };
}
