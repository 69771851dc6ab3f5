// npm run bench -- cache: what a hit in memory, a hit in Redis and a miss with its load cost, beside lru-cache, cache-manager and ioredis
// used bare for the same, in turns in one run. The figures hold for this machine at this moment: compare within one run.
import { cpus } from 'node:os';
import { Command } from 'commander';
import { createCache } from 'cache-manager';
import { Redis } from 'ioredis';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import { wholeNumber } from '../test/support/options.js';
import { RedisProcess } from '../test/support/redis-process.js';
import { CacheFamily, CacheService } from '../src/cache/index.js';
import { loadSettings } from '../src/config/index.js';
import { createLogger } from '../src/logging/index.js';
import { RedisService } from '../src/redis/index.js';
import { figure, measure, renderTable } from '@colloquy/embedded-mongo/bench';

interface Contestant {
  scenario: string;
  name: string;
  /** Asks for one key; the number makes keys differ where each is to be a miss. */
  ask: (turn: number) => unknown;
  /** Calls that are measured as one, where one alone is shorter than the clock can tell. */
  batch: number;
}

const MINUTE = 60_000;
const value = {
  id: 'a1b2c3',
  name: 'Acme Travel',
  plan: 'pro',
  at: new Date(0),
  features: { responder: true },
};
const load = (): Promise<typeof value> => Promise.resolve({ ...value });
const family = new CacheFamily<typeof value>('bench');

async function openCache(overrides: Readonly<Record<string, string>>): Promise<{
  cache: CacheService;
  redis: RedisService;
}> {
  const settings = loadSettings({ NODE_ENV: 'test', ...overrides });
  const logger = createLogger({ level: 'error', pretty: false });
  const redis = new RedisService(settings.redis, logger);
  const cache = new CacheService(settings.cache, redis, logger);
  await redis.onModuleInit();
  return { cache, redis };
}

/** A bare pair of caches that do what a reader would write by hand: look into Redis, parse JSON, load and store on a miss. */
const byHand = (client: Redis) => ({
  async wrap(key: string): Promise<unknown> {
    const text = await client.get(key);
    if (text !== null) return JSON.parse(text) as unknown;
    const loaded = await load();
    await client.set(key, JSON.stringify(loaded), 'PX', MINUTE);
    return loaded;
  },
});

async function contestants(server: RedisProcess): Promise<{ list: Contestant[]; close(): Promise<void> }> {
  const url = { REDIS_URL: server.url, REDIS_COMMAND_TIMEOUT_MS: '2000' };
  const alone = await openCache({});
  const shared = await openCache({ ...url, REDIS_KEY_PREFIX: 'shared' });
  // Every entry has left the memory by the next call, so that Redis is asked each time.
  const sharedOnly = await openCache({ ...url, REDIS_KEY_PREFIX: 'l2', CACHE_LOCAL_TTL_MS: '1' });
  const lru = new LRUCache<string, typeof value>({ max: 10_000, ttl: MINUTE });
  const manager = createCache({ stores: [new Keyv({ useKeyPrefix: false })], ttl: MINUTE });
  const client = new Redis(server.url);
  const hand = byHand(client);

  const hot = family.key('acme', 'hot');
  const keys = Array.from({ length: 1000 }, (_, id) => family.key('acme', `warm-${id}`));
  lru.set(hot.text, value);
  await manager.set(hot.text, value);
  await client.set('hot', JSON.stringify(value));
  for (const key of keys) await sharedOnly.cache.wrap(key, MINUTE, load);
  const warmKey = (turn: number): (typeof keys)[number] => keys[turn % keys.length] ?? hot;
  const list: Contestant[] = [
    {
      scenario: 'hit in memory',
      name: 'Colloquy',
      batch: 100,
      ask: () => alone.cache.wrap(hot, MINUTE, load),
    },
    { scenario: 'hit in memory', name: 'cache-manager', batch: 100, ask: () => manager.get(hot.text) },
    { scenario: 'hit in memory', name: 'lru-cache', batch: 100, ask: () => lru.get(hot.text) },
    {
      scenario: 'hit in Redis',
      name: 'Colloquy',
      batch: 1,
      ask: (turn) => sharedOnly.cache.wrap(warmKey(turn), MINUTE, load),
    },
    { scenario: 'hit in Redis', name: 'ioredis, get and JSON', batch: 1, ask: () => hand.wrap('hot') },
    {
      scenario: 'miss and load',
      name: 'Colloquy, memory',
      batch: 1,
      ask: (turn) => alone.cache.wrap(family.key('acme', `miss-${turn}`), MINUTE, load),
    },
    {
      scenario: 'miss and load',
      name: 'Colloquy, with Redis',
      batch: 1,
      ask: (turn) => shared.cache.wrap(family.key('acme', `miss-${turn}`), MINUTE, load),
    },
    {
      scenario: 'miss and load',
      name: 'cache-manager',
      batch: 1,
      ask: (turn) => manager.wrap(`miss-${turn}`, load, MINUTE),
    },
    {
      scenario: 'miss and load',
      name: 'lru-cache',
      batch: 1,
      ask: async (turn) => {
        lru.set(`miss-${turn}`, lru.get(`miss-${turn}`) ?? (await load()));
      },
    },
    {
      scenario: 'miss and load',
      name: 'ioredis, get and set',
      batch: 1,
      ask: (turn) => hand.wrap(`miss-${turn}`),
    },
  ];
  return {
    list,
    async close() {
      for (const { cache, redis } of [alone, shared, sharedOnly]) {
        await cache.onApplicationShutdown();
        await redis.onApplicationShutdown();
      }
      client.disconnect();
    },
  };
}

async function run(seconds: number, clients: number): Promise<void> {
  const server = await RedisProcess.start();
  try {
    const field = await contestants(server);
    const rows: string[][] = [];
    let turn = 0;
    for (const { scenario, name, ask, batch } of field.list)
      for (const count of [1, clients]) {
        const result = await measure(
          async () => {
            for (let call = 0; call < batch; call++) await ask(turn++);
          },
          { clients: count, unitsPerCall: batch, warmUpMs: 500, measureMs: seconds * 1000 },
        );
        const us = (ms: number): string => figure((ms * 1000) / batch);
        const { perSecond, p50, p99, cpuPerUnit } = result;
        rows.push([scenario, name, String(count), figure(perSecond), us(p50), us(p99), figure(cpuPerUnit)]);
      }
    const heads = ['', 'with', 'callers', 'per second', 'p50 us', 'p99 us', 'cpu us'];
    process.stdout.write(`Node.js ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}\n\n`);
    process.stdout.write(renderTable(heads, rows));
    await field.close();
  } finally {
    await server.remove();
  }
}

await new Command('npm run bench -- cache')
  .description('What the cache costs, beside its parts used bare.')
  .option('--seconds <count>', 'for each measurement', wholeNumber, 2)
  .option('--callers <count>', 'at the same time, beside one alone', wholeNumber, 50)
  .action(({ seconds, callers }: { seconds: number; callers: number }) => run(seconds, callers))
  .parseAsync();
