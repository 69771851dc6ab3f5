import { type CacheKey, CacheService } from '../../src/cache/index.js';
import { loadSettings } from '../../src/config/index.js';
import type { TransactionRunner } from '../../src/database/index.js';
import { createLogger } from '../../src/logging/index.js';
import { RedisService } from '../../src/redis/index.js';

export interface CacheProcess {
  cache: CacheService;
  redis: RedisService;
  close(): Promise<void>;
}

const noTransactions = {
  active: false,
  afterCommit: async (hook) => hook(),
} satisfies Partial<TransactionRunner> as unknown as TransactionRunner;

/** Creates a cache with its own connections, as in another process. It is not connected yet. */
export function createCache(overrides: Readonly<Record<string, string>> = {}): CacheProcess {
  const settings = loadSettings({ NODE_ENV: 'test', ...overrides });
  const logger = createLogger({ level: 'silent', pretty: false });
  const redis = new RedisService(settings.redis, logger);
  const cache = new CacheService(settings.cache, redis, noTransactions, logger);
  return {
    cache,
    redis,
    async close() {
      await cache.onApplicationShutdown();
      await redis.onApplicationShutdown();
    },
  };
}

/** Creates a cache with its own connections and connects it. */
export async function openCache(overrides?: Readonly<Record<string, string>>): Promise<CacheProcess> {
  const process = createCache(overrides);
  await process.redis.onModuleInit();
  return process;
}

/** Returns the value that a process has in memory or Redis, without loading it. */
export const cached = async <Value>(cache: CacheService, key: CacheKey<Value>): Promise<Value | undefined> =>
  cache.wrap(key, 60_000, () => Promise.resolve(undefined));
