import { Types } from 'mongoose';
import { Redis } from 'ioredis';
import { CacheFamily } from '../../src/cache/index.js';
import { cached, type CacheProcess, openCache } from '../support/cache.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';

interface Plan {
  plan: string;
}

const plans = new CacheFamily<Plan>('plan');
const MINUTE = 60_000;

const loads = <T>(value: T): jest.Mock<Promise<T>> => jest.fn(() => Promise.resolve(value));

/** Polls until the check returns true. The timeout of jest limits the wait. */
async function eventually(check: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setImmediate(resolve));
}

describeWithRedis('CacheService on Redis', () => {
  let server: RedisProcess;
  let direct: Redis;
  let prefix: string;
  let opened: CacheProcess[];

  const open = async (settings: Readonly<Record<string, string>> = {}): Promise<CacheProcess> => {
    const process = await openCache({
      REDIS_URL: server.url,
      REDIS_KEY_PREFIX: prefix,
      REDIS_COMMAND_TIMEOUT_MS: '2000',
      REDIS_PROBE_INTERVAL_MS: '20',
      ...settings,
    });
    opened.push(process);
    return process;
  };
  const keysIn = (pattern: string): Promise<string[]> => direct.keys(`${prefix}:${pattern}`);

  beforeAll(async () => {
    server = await startRedis();
    direct = new Redis(server.url);
  });
  afterAll(async () => {
    direct.disconnect();
    await server.remove();
  });
  beforeEach(() => {
    prefix = redisPrefix();
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((process) => process.close()));
  });

  it('loads a value once for 200 callers in each of two processes', async () => {
    const [a, b] = [await open(), await open()];
    const key = plans.key('acme', 'cold');
    let ended = 0;
    const load = jest.fn(async () => {
      // Long enough for the other process to request the value and start waiting.
      await eventually(async () => (await keysIn('*lock*')).length > 0 && ++ended > 20);
      return { plan: 'pro' };
    });
    const callers = [a, b].flatMap(({ cache }) =>
      Array.from({ length: 200 }, async () => cache.wrap(key, MINUTE, load)),
    );
    expect(new Set((await Promise.all(callers)).map((found) => found?.plan))).toEqual(new Set(['pro']));
    expect(load).toHaveBeenCalledTimes(1);
    expect(await keysIn('*lock*')).toEqual([]);
  });

  it('lets another process load the value when a load fails or its process dies', async () => {
    const [a, b] = [await open({ CACHE_LOAD_LOCK_MS: '100' }), await open({ CACHE_LOAD_LOCK_MS: '100' })];
    const key = plans.key('acme', 'failing');
    await expect(a.cache.wrap(key, MINUTE, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'b' }))).toEqual({ plan: 'b' });

    const other = plans.key('acme', 'hanging');
    void a.cache.wrap(other, MINUTE, () => new Promise<Plan>(() => undefined));
    await eventually(async () => (await keysIn('*lock*')).length > 0);
    expect(await b.cache.wrap(other, MINUTE, loads({ plan: 'b' }))).toEqual({ plan: 'b' });
  });

  it('loads without the lock when the process that has the lock takes too long', async () => {
    const [a, b] = [await open(), await open({ CACHE_LOAD_WAIT_MS: '0' })];
    const key = plans.key('acme', 'slow');
    let end!: (plan: Plan) => void;
    const slow = a.cache.wrap(key, MINUTE, () => new Promise<Plan>((resolve) => (end = resolve)));
    await eventually(() => end !== undefined);
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'b' }))).toEqual({ plan: 'b' });
    expect(b.cache.stats().loadWaitTimeouts).toBe(1);
    end({ plan: 'a' });
    expect(await slow).toEqual({ plan: 'a' });
  });

  it('serves another process from Redis with the same types of values and the remaining time to live', async () => {
    const [a, b] = [
      await open({ CACHE_LOCAL_TTL_MS: '3600000' }),
      await open({ CACHE_LOCAL_TTL_MS: '3600000' }),
    ];
    const value = {
      at: new Date('2026-01-02T03:04:05.678Z'),
      id: new Types.ObjectId(),
      bytes: Buffer.from([0, 1, 255]),
      nothing: null,
      count: 2 ** 40,
      share: 0.1,
      list: [{ text: 'ä' }],
    };
    const key = new CacheFamily<typeof value>('typed').key('acme', '1');
    await a.cache.wrap(key, MINUTE, () => Promise.resolve(value));
    const [redisKey = ''] = await keysIn('*entry*');
    await direct.pexpire(redisKey, 1000);
    const load = loads(value);
    const found = await b.cache.wrap(key, MINUTE, load);
    expect(load).not.toHaveBeenCalled();
    expect(found).toEqual(value);
    expect(found?.id).toBeInstanceOf(Types.ObjectId);
    // The memory entry expires after the second that was left, not after the full minute.
    jest.useFakeTimers({ now: Date.now() + 1001, doNotFake: ['nextTick', 'setImmediate', 'setTimeout'] });
    try {
      await direct.del(redisKey);
      await b.cache.wrap(key, MINUTE, load);
      expect(load).toHaveBeenCalledTimes(1);
    } finally {
      jest.useRealTimers();
    }
  });

  it.each([
    ['a deleted entry', (p: CacheProcess) => p.cache.del(plans.key('acme', '1'))],
    ['an invalidated tenant', (p: CacheProcess) => p.cache.invalidateTenant('acme')],
  ])(
    '%s removes the entry from the memory of another process as soon as it is notified',
    async (_name, change) => {
      const [a, b] = [await open(), await open()];
      const key = plans.key('acme', '1');
      const untouched = plans.key('other', '1');
      await b.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
      await b.cache.wrap(untouched, MINUTE, loads({ plan: 'kept' }));
      await change(a);
      await eventually(async () => (await cached(b.cache, key)) === undefined);
      expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
      expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'newer' }))).toEqual({ plan: 'new' });
      expect(await cached(b.cache, untouched)).toEqual({ plan: 'kept' });
    },
  );

  it.each([
    ['an invalidated tenant', (p: CacheProcess) => p.cache.invalidateTenant('acme')],
    ['a deleted entry', (p: CacheProcess) => p.cache.del(plans.key('acme', '1'))],
  ])('%s takes effect after the local time to live when the message is lost', async (_name, change) => {
    const [a, b] = [await open(), await open({ CACHE_LOCAL_TTL_MS: '300' })];
    const key = plans.key('acme', '1');
    await b.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    b.redis.listen(
      `${prefix}:bus:cache`,
      () => undefined,
      () => undefined,
    );
    await change(a);
    expect(await cached(b.cache, key)).toEqual({ plan: 'old' });
    jest.useFakeTimers({ now: Date.now() + 301, doNotFake: ['nextTick', 'setImmediate', 'setTimeout'] });
    try {
      expect(await cached(b.cache, key)).toBeUndefined();
    } finally {
      jest.useRealTimers();
    }
  });

  it('stores nowhere the result of a load that started before an invalidation by another process', async () => {
    const [a, b] = [await open(), await open()];
    const key = plans.key('acme', '1');
    let end!: (plan: Plan) => void;
    const early = a.cache.wrap(key, MINUTE, () => new Promise<Plan>((resolve) => (end = resolve)));
    await eventually(() => end !== undefined);
    await b.cache.invalidateTenant('acme');
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'after' }))).toEqual({ plan: 'after' });
    end({ plan: 'before' });
    expect(await early).toEqual({ plan: 'before' });
    expect(await cached(a.cache, key)).toEqual({ plan: 'after' });
    expect(await cached(b.cache, key)).toEqual({ plan: 'after' });
  });

  it('stays correct when Redis loses its generations', async () => {
    const [a, b] = [await open(), await open()];
    const key = plans.key('acme', '1');
    await a.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    await a.cache.invalidateTenant('acme');
    await a.cache.wrap(key, MINUTE, loads({ plan: 'new' }));
    await direct.del(...(await keysIn('*generation*')));
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'newest' }))).toEqual({ plan: 'newest' });
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'not asked' }))).toEqual({ plan: 'newest' });
  });

  it('repeats an invalidation that Redis lost, as can happen in a failover', async () => {
    const a = await open();
    const key = plans.key('acme', '1');
    await a.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    const [generationKey = ''] = await keysIn('*generation*');
    const [entryKey = ''] = await keysIn('*entry*');
    const before = await direct.get(generationKey);
    await a.cache.invalidateTenant('acme');
    await direct.set(generationKey, before ?? '');
    await direct.del(entryKey);
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
    await eventually(async () => Number(await direct.get(generationKey)) > Number(before));
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
  });

  it('shares no entries of a tenant that the policy excludes', async () => {
    const a = await open();
    a.cache.useSharedTierFor((tenantId) => tenantId !== 'private');
    await a.cache.wrap(plans.key('private', '1'), MINUTE, loads({ plan: 'x' }));
    expect(await keysIn('*entry*')).toEqual([]);
    await a.cache.wrap(plans.key('public', '1'), MINUTE, loads({ plan: 'x' }));
    expect(await keysIn('*entry*')).toHaveLength(1);
  });

  it('neither writes a local family to Redis nor reads it from there, but invalidates it everywhere', async () => {
    const [a, b] = [await open(), await open()];
    const key = new CacheFamily<Plan>('local', { isLocal: true }).key('acme', '1');
    await a.cache.wrap(key, MINUTE, loads({ plan: 'a' }));
    expect(await keysIn('*entry*')).toEqual([]);
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'b' }))).toEqual({ plan: 'b' });
    expect(a.cache.peek(key)).toEqual({ plan: 'a' });
    await b.cache.del(key);
    await eventually(() => a.cache.peek(key) === undefined);
    await a.cache.wrap(key, MINUTE, loads({ plan: 'a' }));
    await b.cache.invalidateTenant('acme');
    await eventually(() => a.cache.peek(key) === undefined);
  });

  it('does not use Redis when REDIS_ENABLED is false', async () => {
    const a = await open({ REDIS_ENABLED: 'false' });
    await a.cache.wrap(plans.key('acme', '1'), MINUTE, loads({ plan: 'x' }));
    await a.cache.invalidateTenant('acme');
    expect(await keysIn('*')).toEqual([]);
    expect(a.cache.stats().l2).toMatchObject({ state: 'off', pendingInvalidations: 0 });
  });
});

describeWithRedis('CacheService during a Redis outage', () => {
  let server: RedisProcess;
  let opened: CacheProcess[];
  const prefix = redisPrefix();
  const key = plans.key('acme', '1');

  const open = async (settings: Readonly<Record<string, string>> = {}): Promise<CacheProcess> => {
    const process = await openCache({
      REDIS_URL: server.url,
      REDIS_KEY_PREFIX: prefix,
      REDIS_PROBE_INTERVAL_MS: '20',
      ...settings,
    });
    opened.push(process);
    return process;
  };
  const away = ({ redis }: CacheProcess): Promise<void> => eventually(() => !redis.available);
  const back = ({ redis }: CacheProcess): Promise<void> => eventually(() => redis.available);

  beforeEach(async () => {
    opened = [];
    // The append-only file restores the entries that existed when the server was killed.
    server = await startRedis({ appendfsync: 'always' });
  });
  afterEach(async () => {
    await Promise.all(opened.map((process) => process.close()));
    await server.remove();
  });

  it('starts without Redis, and uses it once it is available', async () => {
    await server.signal('SIGKILL');
    const a = await open({ REDIS_CONNECT_TIMEOUT_MS: '50' });
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'x' }))).toEqual({ plan: 'x' });
    await server.restart();
    await back(a);
    await a.cache.wrap(plans.key('acme', '2'), MINUTE, loads({ plan: 'y' }));
    expect(a.cache.stats().l2).toMatchObject({ state: 'closed', misses: 1 });
  });

  it('continues in memory when Redis is killed, and uses it again when it is back', async () => {
    const a = await open();
    // Starting the cache does not wait for a server that is slow to accept connections.
    await back(a);
    await a.cache.wrap(key, MINUTE, loads({ plan: 'x' }));
    await server.signal('SIGKILL');
    await away(a);
    expect(await cached(a.cache, key)).toEqual({ plan: 'x' });
    expect(await a.cache.wrap(plans.key('acme', '2'), MINUTE, loads({ plan: 'y' }))).toEqual({ plan: 'y' });
    await server.restart();
    await back(a);
    expect(a.cache.stats().l2.timesOpened).toBe(1);
  });

  it('does not use old entries of Redis when an invalidation could not reach it', async () => {
    const [a, b] = [await open(), await open()];
    const other = plans.key('other', '1');
    await a.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    await a.cache.wrap(other, MINUTE, loads({ plan: 'kept' }));
    await server.signal('SIGKILL');
    await Promise.all([away(a), away(b)]);
    await a.cache.invalidateTenant('acme');
    await a.cache.del(other);
    expect(a.cache.stats().l2.pendingInvalidations).toBe(2);
    await server.restart();
    await Promise.all([back(a), back(b)]);
    expect(a.cache.stats().l2.pendingInvalidations).toBe(0);
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'not asked' }))).toEqual({ plan: 'new' });
    expect(await b.cache.wrap(other, MINUTE, loads({ plan: 'fresh' }))).toEqual({ plan: 'fresh' });
  });

  it('does not use an old entry of Redis when the process that invalidated it exits before repeating the invalidation', async () => {
    const [a, b] = [await open(), await open()];
    await a.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    await server.signal('SIGKILL');
    await Promise.all([away(a), away(b)]);
    await a.cache.invalidateTenant('acme');
    await opened.shift()?.close();
    await server.restart();
    await back(b);
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
  });

  it('waits no longer than the command timeout when Redis hangs, and soon stops sending commands', async () => {
    const a = await open({ REDIS_COMMAND_TIMEOUT_MS: '30', REDIS_BREAKER_FAILURES: '3' });
    await server.signal('SIGSTOP');
    try {
      for (let id = 0; id < 10; id++)
        expect(await a.cache.wrap(plans.key('acme', `h${id}`), MINUTE, loads({ plan: 'x' }))).toEqual({
          plan: 'x',
        });
      expect(a.cache.stats().l2.state).not.toBe('closed');
      expect(a.cache.stats().l2.errors).toBeLessThan(10);
    } finally {
      await server.signal('SIGCONT');
    }
    await back(a);
    expect(a.redis.available).toBe(true);
  });

  it('repeats an invalidation that timed out while Redis is considered available', async () => {
    const [a, b] = [
      await open({ REDIS_COMMAND_TIMEOUT_MS: '30', REDIS_BREAKER_FAILURES: '1000' }),
      await open({ REDIS_COMMAND_TIMEOUT_MS: '2000' }),
    ];
    await Promise.all([back(a), back(b)]);
    await b.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    await server.signal('SIGSTOP');
    await a.cache.del(key);
    expect(a.redis.available).toBe(true);
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
    await server.signal('SIGCONT');
    await eventually(() => a.cache.stats().l2.pendingInvalidations === 0);
    await eventually(async () => (await cached(b.cache, key)) === undefined);
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'newer' }))).toEqual({ plan: 'newer' });
  });
});
