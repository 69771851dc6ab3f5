import { Redis } from 'ioredis';
import { CacheFamily } from '../../src/cache/index.js';
import { RedisUnavailableError } from '../../src/redis/index.js';
import { cached, type CacheProcess, openCache } from '../support/cache.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';
import { SilentProxy } from '../support/silent-proxy.js';

interface Plan {
  plan: string;
}

const plans = new CacheFamily<Plan>('plan');
const MINUTE = 60_000;
/** Not replaced by the fake clock, because the Redis client needs them. */
const timersThatRun = [
  ...(['nextTick', 'queueMicrotask', 'setTimeout', 'clearTimeout'] as const),
  ...(['setImmediate', 'clearImmediate'] as const),
];

const loads = <T>(value: T): jest.Mock<Promise<T>> => jest.fn(() => Promise.resolve(value));

const turnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Polls until the check returns true. The timeout of jest limits the wait. */
async function eventually(check: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await check())) await turnOfLoop();
}

/** A promise that the test settles. */
function gate<T = void>(): { opened: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { opened, open };
}

describeWithRedis('CacheService with Redis faults', () => {
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
      CACHE_LOCAL_TTL_MS: '3600000',
      ...settings,
    });
    opened.push(process);
    return process;
  };
  const channel = (): string => `${prefix}:bus:cache`;
  const entryKey = async (id: string): Promise<string> =>
    (await direct.keys(`${prefix}:*entry:plan:${id}`))[0] ?? '';
  /** The command connections of the processes, by their ids in Redis. */
  const commandConnections = async (): Promise<string[]> =>
    String(await direct.client('LIST'))
      .split('\n')
      .filter((line) => line.includes('name=colloquy-cache'))
      .map((line) => /\bid=(\d+)/.exec(line)?.[1] ?? '');

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
    jest.useRealTimers();
    jest.restoreAllMocks();
    await Promise.all(opened.map((process) => process.close()));
  });

  it.each([
    'nonsense',
    'null',
    '{"from":"other","tenantId":"acme","generation":"soon"}',
    '{"from":"other","tenantId":"acme","generation":"99999999999999999999"}',
  ])('ignores %s on the bus', async (message) => {
    const a = await open();
    const [kept, marker] = [plans.key('acme', 'kept'), plans.key('other', 'marker')];
    await a.cache.wrap(kept, MINUTE, loads({ plan: 'x' }));
    await a.cache.wrap(marker, MINUTE, loads({ plan: 'y' }));
    await direct.publish(channel(), message);
    // A message published later is also received later.
    await direct.publish(channel(), JSON.stringify({ from: 'other', key: marker.text }));
    await eventually(() => a.cache.stats().l1.entries === 1);
    const before = a.cache.stats();
    expect(await cached(a.cache, kept)).toEqual({ plan: 'x' });
    expect(a.cache.stats().l1.hits - before.l1.hits).toBe(1);
    expect(a.cache.stats().l2.calls).toBe(before.l2.calls);
  });

  it.each([
    ['a deletion', ({ cache }: CacheProcess) => cache.del(plans.key('acme', '1'))],
    ['an invalidation of a tenant', ({ cache }: CacheProcess) => cache.invalidateTenant('acme')],
  ])('repeats %s that happens between the replay and the moment Redis is trusted', async (_name, change) => {
    const a = await open();
    const [connection = ''] = await commandConnections();
    const b = await open();
    const key = plans.key('acme', '1');
    await b.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    let pendingInHook: number | undefined;
    // Runs after the hook of the cache, which repeats pending invalidations.
    a.redis.beforeTrust(async () => {
      if (pendingInHook !== undefined) return;
      await change(a);
      pendingInHook = a.cache.stats().l2.pendingInvalidations;
    });
    await direct.client('KILL', 'ID', connection);
    await eventually(() => pendingInHook !== undefined && a.redis.available);
    expect(pendingInHook).toBe(1);
    await eventually(() => a.cache.stats().l2.pendingInvalidations === 0);
    await eventually(async () => (await cached(b.cache, key)) === undefined);
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
  });

  it('keeps an invalidation pending after an earlier one of the same entry succeeded', async () => {
    const [a, b] = [await open(), await open()];
    const key = plans.key('acme', '1');
    await b.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    const call = a.redis.call.bind(a.redis);
    const second = gate();
    let calls = 0;
    const spy = jest.spyOn(a.redis, 'call').mockImplementation((work) => {
      if (++calls === 1) return call(work);
      return second.opened.then(() => Promise.reject(new RedisUnavailableError('lost')));
    });
    const [early, late] = [a.cache.del(key), a.cache.del(key)];
    await early;
    expect(a.cache.stats().l2.pendingInvalidations).toBe(1);
    second.open();
    await late;
    expect(a.cache.stats().l2.pendingInvalidations).toBe(1);
    await b.cache.wrap(key, MINUTE, loads({ plan: 'between' }));
    spy.mockRestore();
    await eventually(() => a.cache.stats().l2.pendingInvalidations === 0);
    await eventually(async () => (await cached(b.cache, key)) === undefined);
    expect(await b.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
  });

  describe('on connections without responses', () => {
    let proxy: SilentProxy;

    beforeEach(async () => {
      proxy = await SilentProxy.to(server.port);
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((process) => process.close()));
      await proxy.close();
    });

    const openBehindIt = (): Promise<CacheProcess> =>
      open({
        REDIS_URL: proxy.url,
        REDIS_CONNECT_TIMEOUT_MS: '100',
        REDIS_COMMAND_TIMEOUT_MS: '100',
        REDIS_BREAKER_FAILURES: '1',
      });

    it('opens a new connection, although the old one was never closed', async () => {
      const a = await openBehindIt();
      const { connections } = proxy;
      proxy.discardTraffic();
      expect(await a.cache.wrap(plans.key('acme', '1'), MINUTE, loads({ plan: 'x' }))).toEqual({ plan: 'x' });
      expect(a.redis.available).toBe(false);
      await eventually(() => a.redis.available);
      expect(proxy.keepsDiscardingOpen).toBe(true);
      expect(proxy.connections).toBeGreaterThan(connections);
      // The time limits are so short that a busy machine may exceed them.
      let id = 2;
      await eventually(async () => {
        await a.cache.wrap(plans.key('acme', String(++id)), MINUTE, loads({ plan: 'y' }));
        return (await direct.exists(await entryKey(String(id)))) === 1;
      });
    });

    it('receives messages of other processes again, if the bus connection was one of them', async () => {
      jest.useFakeTimers({ doNotFake: [...timersThatRun, 'Date', 'performance'] });
      const [a, b] = [await openBehindIt(), await open()];
      const key = plans.key('acme', '1');
      await a.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
      proxy.discardTraffic();
      await b.cache.del(key);
      expect((await cached(a.cache, key))?.plan).toBe('old');
      // The bus connection is pinged and does not respond.
      jest.advanceTimersByTime(5000);
      await eventually(() => a.cache.stats().l1.entries === 0);
      await a.cache.wrap(key, MINUTE, loads({ plan: 'new' }));
      await b.cache.del(key);
      await eventually(() => a.cache.stats().l1.entries === 0);
      expect(await cached(a.cache, key)).toBeUndefined();
    });

    it('keeps a bus connection that responds', async () => {
      jest.useFakeTimers({ doNotFake: [...timersThatRun, 'Date', 'performance'] });
      await open({ REDIS_URL: proxy.url });
      const { connections } = proxy;
      const pings = async (): Promise<number> =>
        Number(/cmdstat_ping:calls=(\d+)/.exec(await direct.info('commandstats'))?.[1] ?? 0);
      const before = await pings();
      jest.advanceTimersByTime(5000);
      await eventually(async () => (await pings()) > before);
      jest.advanceTimersByTime(5000);
      await eventually(async () => (await pings()) > before + 1);
      expect(proxy.connections).toBe(connections);
    });
  });

  it('renews a generation once per request, however many reads happen meanwhile in two processes', async () => {
    const processes = [await open(), await open()];
    const heard = new Redis(server.url);
    try {
      let renewals = 0;
      let isOver = false;
      const last = JSON.stringify({ from: 'other', key: 'last' });
      await heard.subscribe(channel());
      heard.on('message', (_channel, message: string) => {
        if (message.includes('"generation"')) renewals++;
        if (message === last) isOver = true;
      });
      const asked = 150;
      let isDone = false;
      const read = async ({ cache }: CacheProcess, worker: number): Promise<void> => {
        for (let i = 0; !isDone; i++) {
          await cache.wrap(plans.key('acme', `${worker}-${i % 20}`), MINUTE, async () => {
            await turnOfLoop();
            return { plan: 'x' };
          });
          await turnOfLoop();
        }
      };
      const readers = processes.flatMap((process) =>
        Array.from({ length: 16 }, (_, worker) => read(process, worker)),
      );
      for (let i = 0; i < asked; i++) await processes[i % 2]?.cache.invalidateTenant('acme');
      isDone = true;
      await Promise.all(readers);
      await direct.publish(channel(), last);
      await eventually(() => isOver);
      expect(renewals).toBe(asked);
    } finally {
      heard.disconnect();
    }
  });

  it('does not restore an entry that was just invalidated because of a late message', async () => {
    const [a, b] = [await open(), await open()];
    const [key, marker] = [plans.key('acme', '1'), plans.key('other', 'marker')];
    const heard = new Redis(server.url);
    const messages: string[] = [];
    await heard.subscribe(channel());
    heard.on('message', (_channel, message: string) => messages.push(message));
    await b.cache.invalidateTenant('acme');
    await b.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    await eventually(() => messages.length === 1);
    heard.disconnect();
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'not asked' }))).toEqual({ plan: 'old' });
    await a.cache.wrap(marker, MINUTE, loads({ plan: 'y' }));

    const lost = jest.spyOn(a.redis, 'call').mockRejectedValue(new RedisUnavailableError('lost'));
    await a.cache.invalidateTenant('acme');
    expect(a.cache.stats().l2.pendingInvalidations).toBe(1);
    await direct.publish(channel(), messages[0] ?? '');
    await direct.publish(channel(), JSON.stringify({ from: 'other', key: marker.text }));
    await eventually(() => a.cache.stats().l1.entries === 1);
    expect(await cached(a.cache, key)).toBeUndefined();
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'new' }))).toEqual({ plan: 'new' });
    lost.mockRestore();
    await eventually(() => a.cache.stats().l2.pendingInvalidations === 0);
    expect(await a.cache.wrap(key, MINUTE, loads({ plan: 'newer' }))).toEqual({ plan: 'newer' });
  });

  it('treats an unreadable entry as missing, and replaces it', async () => {
    const [a, b] = [await open(), await open()];
    const key = plans.key('acme', '1');
    await a.cache.wrap(key, MINUTE, loads({ plan: 'x' }));
    await direct.hset(await entryKey('1'), 'v', 'garbage');
    const load = loads({ plan: 'right' });
    expect(await b.cache.wrap(key, MINUTE, load)).toEqual({ plan: 'right' });
    expect(load).toHaveBeenCalledTimes(1);
    const c = await open();
    expect(await c.cache.wrap(key, MINUTE, load)).toEqual({ plan: 'right' });
    expect(load).toHaveBeenCalledTimes(1);
    expect(b.cache.stats().l2).toMatchObject({ errors: 0, state: 'closed' });
  });

  it('keeps a value without a BSON form in one process, leaves no lock behind, and does not count it as a failure of Redis', async () => {
    const a = await open({ REDIS_BREAKER_FAILURES: '1' });
    const values = new CacheFamily<Record<string, number>>('plan');
    const value = { 'no\0BSON': 1 };
    const load = loads(value);
    const key = values.key('acme', '1');
    expect(await a.cache.wrap(key, MINUTE, load)).toEqual(value);
    expect(await cached(a.cache, key)).toEqual(value);
    expect(load).toHaveBeenCalledTimes(1);
    expect(a.cache.stats().l2).toMatchObject({ errors: 0, timesOpened: 0, state: 'closed' });
    expect(await direct.keys(`${prefix}:*lock*`)).toEqual([]);
  });

  it('keeps no value in memory that was read before a deletion', async () => {
    const a = await open({ MAX_CACHE_SIZE: '1' });
    const [key, filler] = [plans.key('acme', '1'), plans.key('other', '1')];
    await a.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
    await a.cache.wrap(filler, MINUTE, loads({ plan: 'filler' }));
    // Redis has responded, but the response is delayed before it reaches the cache.
    const [isRead, deleted] = [gate(), gate()];
    const call = a.redis.call.bind(a.redis);
    jest.spyOn(a.redis, 'call').mockImplementationOnce(async (work) => {
      const reply = await call(work);
      isRead.open();
      await deleted.opened;
      return reply;
    });
    const found = cached(a.cache, key);
    await isRead.opened;
    await a.cache.del(key);
    deleted.open();
    await found;
    expect(await cached(a.cache, key)).toBeUndefined();
  });

  it('never has the old value in memory after 200 deletions, each concurrent with a read', async () => {
    const a = await open({ MAX_CACHE_SIZE: '1' });
    const [key, filler] = [plans.key('acme', '1'), plans.key('other', '1')];
    let old = 0;
    for (let round = 0; round < 200; round++) {
      await a.cache.wrap(key, MINUTE, loads({ plan: 'old' }));
      await a.cache.wrap(filler, MINUTE, loads({ plan: 'filler' }));
      const found = cached(a.cache, key);
      for (let turn = 0; turn < round % 12; turn++) await Promise.resolve();
      await a.cache.del(key);
      await found;
      if (await cached(a.cache, key)) old++;
    }
    expect(old).toBe(0);
  });
});

describeWithRedis('CacheService on a read-only Redis', () => {
  it('considers Redis unavailable until it accepts writes, which is detected by probes alone', async () => {
    const server = await startRedis();
    const admin = new Redis(server.url);
    const a = await openCache({
      REDIS_URL: server.url,
      REDIS_KEY_PREFIX: redisPrefix(),
      REDIS_COMMAND_TIMEOUT_MS: '2000',
      REDIS_PROBE_INTERVAL_MS: '20',
    });
    const probesRefused = async (): Promise<number> =>
      Number(/cmdstat_del:\S*rejected_calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
    let id = 0;
    const work = async (): Promise<Plan | undefined> =>
      a.cache.wrap(plans.key('acme', String(id++)), MINUTE, loads({ plan: 'x' }));
    try {
      await work();
      await admin.replicaof('127.0.0.1', 1);
      await eventually(async () => {
        expect(await work()).toEqual({ plan: 'x' });
        return !a.redis.available;
      });
      await eventually(async () => {
        expect(await work()).toEqual({ plan: 'x' });
        expect(a.redis.available).toBe(false);
        return (await probesRefused()) >= 6;
      });
      expect(a.redis.stats().timesOpened).toBe(1);
      await admin.replicaof('NO', 'ONE');
      await eventually(() => a.redis.available);
      const { calls } = a.redis.stats();
      await work();
      expect(a.redis.stats()).toMatchObject({ state: 'closed', timesOpened: 1 });
      expect(a.redis.stats().calls).toBeGreaterThan(calls);
    } finally {
      await a.close();
      admin.disconnect();
      await server.remove();
    }
  });
});
