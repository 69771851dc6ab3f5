// npm run bench -- cache: measures a hit in memory, a hit in Redis and a miss with its load, compared with
// direct use of lru-cache, cache-manager and ioredis. The candidates are measured one after the other.
// Figures depend on the machine and its load: compare only within one run.
import { cpus } from 'node:os';
import { Command } from 'commander';
import { createCache } from 'cache-manager';
import { Redis } from 'ioredis';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import { openCache } from '../test/support/cache.js';
import { wholeNumber } from '../test/support/options.js';
import { RedisProcess } from '../test/support/redis-process.js';
import { CacheFamily } from '../src/cache/index.js';
import { figure, measure, renderTable } from '@colloquy/embedded-mongo/bench';

interface Contestant {
  scenario: string;
  name: string;
  /** Requests one key. The number makes keys distinct where every request should be a miss. */
  ask: (turn: number) => unknown;
  /** Number of calls that are measured together, where one call is too short for the clock. */
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

/** A hand-written cache: reads from Redis and parses JSON, or loads and stores on a miss. */
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
  // Entries expire from memory before the next call, so that each call reads from Redis.
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
      for (const process of [alone, shared, sharedOnly]) await process.close();
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
  .description('Measures the cost of the cache, compared with direct use of its parts.')
  .option('--seconds <count>', 'duration of each measurement', wholeNumber, 2)
  .option('--callers <count>', 'number of concurrent callers, in addition to a single one', wholeNumber, 50)
  .action(({ seconds, callers }: { seconds: number; callers: number }) => run(seconds, callers))
  .parseAsync();
