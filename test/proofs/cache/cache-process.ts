// A process with a cache of its own, which asks for one cold key when it is told to. Forked by test/proofs/cache.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { CacheFamily, CacheService } from '../../../src/cache/index.js';
import { settingsFromEnvironment } from '../../../src/config/index.js';
import { createLogger } from '../../../src/logging/index.js';
import { RedisService } from '../../../src/redis/index.js';

interface Order {
  key: string;
  callers: number;
  loadMs: number;
}

export interface CacheReport {
  type: 'report';
  loads: number;
  /** Different values that the callers were given. */
  values: string[];
}

const settings = settingsFromEnvironment();
const logger = createLogger({ level: 'warn', pretty: false });
const redis = new RedisService(settings.redis, logger);
const cache = new CacheService(settings.cache, redis, logger);
const family = new CacheFamily<{ by: string }>('cold');

async function obey({ key, callers, loadMs }: Order): Promise<CacheReport> {
  let loads = 0;
  const load = async (): Promise<{ by: string }> => {
    loads++;
    await delay(loadMs);
    return { by: String(process.pid) };
  };
  const answers = await Promise.all(
    Array.from({ length: callers }, async () => cache.wrap(family.key('acme', key), 60_000, load)),
  );
  return { type: 'report', loads, values: [...new Set(answers.map((answer) => answer?.by ?? 'none'))] };
}

await redis.onModuleInit();
process.on('message', (order: Order) => {
  void obey(order).then((report) => process.send?.(report));
});
process.send?.({ type: 'listening', url: '' });
