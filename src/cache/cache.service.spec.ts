import { cached, createCache as createProcess } from '../../test/support/cache.js';
import { CacheFamily } from './cache-key.js';
import type { CacheService } from './cache.service.js';

interface Head {
  title: string;
}

const heads = new CacheFamily<Head>('head');

const createCache = (overrides: Readonly<Record<string, string>> = {}): CacheService =>
  createProcess(overrides).cache;

/** A load that the test resolves or rejects. */
function heldLoad<T>(): { load: jest.Mock<Promise<T>>; end: (value: T) => void } {
  const ends: ((value: T) => void)[] = [];
  return {
    load: jest.fn(() => new Promise<T>((resolve) => ends.push(resolve))),
    end: (value) => ends.shift()?.(value),
  };
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe('CacheService without Redis', () => {
  const key = heads.key('acme', '1');
  const loadHead = (title: string): jest.Mock<Promise<Head>> => jest.fn(() => Promise.resolve({ title }));

  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('loads once for 200 concurrent callers, and not again while the entry is valid', async () => {
    const cache = createCache();
    const { load, end } = heldLoad<Head>();
    const callers = Array.from({ length: 200 }, async () => cache.wrap(key, 60_000, load));
    await settle();
    end({ title: 'one' });
    expect(new Set(await Promise.all(callers))).toEqual(new Set([{ title: 'one' }]));
    await cache.wrap(key, 60_000, load);
    expect(load).toHaveBeenCalledTimes(1);
    expect(cache.stats().families['head']).toMatchObject({ loads: 1, misses: 200, hits: 1 });
  });

  it('returns an entry in memory synchronously, and peeks at it while it is valid', async () => {
    jest.useFakeTimers({ now: 0 });
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const cache = createCache();
    expect(cache.peek(key)).toBeUndefined();
    await cache.wrap(key, 1000, loadHead('one'));
    expect(cache.wrap(key, 1000, loadHead('two'))).toEqual({ title: 'one' });
    expect(cache.peek(key)).toBe(cache.wrap(key, 1000, loadHead('two')));
    jest.setSystemTime(1001);
    expect(cache.peek(key)).toBeUndefined();
    await cache.wrap(key, 1000, loadHead('three'));
    const invalidated = cache.invalidateTenant('acme');
    expect(cache.peek(key)).toBeUndefined();
    await invalidated;
  });

  it('rejects for all waiting callers if the load fails, and loads again for the next one', async () => {
    const cache = createCache();
    const load = jest.fn(() => Promise.reject(new Error('no database')));
    const results = await Promise.allSettled([cache.wrap(key, 1000, load), cache.wrap(key, 1000, load)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(load).toHaveBeenCalledTimes(1);
    await expect(cache.wrap(key, 1000, loadHead('two'))).resolves.toEqual({ title: 'two' });
    expect(cache.stats().families['head']).toMatchObject({ loads: 2, loadErrors: 1 });
  });

  it('keeps an entry for its time to live minus up to a tenth, and never longer than the local limit', async () => {
    jest.useFakeTimers({ now: 0 });
    const random = jest.spyOn(Math, 'random').mockReturnValue(1);
    const cache = createCache({ CACHE_LOCAL_TTL_MS: '10000' });
    const load = loadHead('x');
    await cache.wrap(key, 1000, load);
    jest.setSystemTime(899);
    await cache.wrap(key, 1000, load);
    expect(load).toHaveBeenCalledTimes(1);
    jest.setSystemTime(901);
    random.mockReturnValue(0);
    await cache.wrap(key, 60_000, load);
    expect(load).toHaveBeenCalledTimes(2);
    jest.setSystemTime(901 + 10_001);
    await cache.wrap(key, 60_000, load);
    expect(load).toHaveBeenCalledTimes(3);
  });

  it('measures the age of an entry from the start of its load', async () => {
    jest.useFakeTimers({ now: 0 });
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const cache = createCache();
    const { load, end } = heldLoad<Head>();
    const slow = cache.wrap(key, 1000, load);
    await settle();
    jest.setSystemTime(600);
    end({ title: 'read at 0' });
    await slow;
    const next = loadHead('fresh');
    jest.setSystemTime(999);
    expect(await cache.wrap(key, 1000, next)).toEqual({ title: 'read at 0' });
    jest.setSystemTime(1001);
    expect(await cache.wrap(key, 1000, next)).toEqual({ title: 'fresh' });
  });

  it('does not cache the absence of a value', async () => {
    const cache = createCache();
    const none = jest.fn(() => Promise.resolve(undefined));
    await cache.wrap(key, 60_000, none);
    await cache.wrap(key, 60_000, none);
    expect(none).toHaveBeenCalledTimes(2);
    expect(cache.stats().l1.entries).toBe(0);
  });

  it('invalidates all entries of a tenant, but none of another tenant', async () => {
    const cache = createCache();
    const other = heads.key('other', '1');
    await cache.wrap(key, 60_000, loadHead('a'));
    await cache.wrap(other, 60_000, loadHead('b'));
    await cache.invalidateTenant('acme');
    expect(await cached(cache, key)).toBeUndefined();
    expect(await cached(cache, other)).toEqual({ title: 'b' });
  });

  it.each([
    ['del', (cache: CacheService) => cache.del(key)],
    ['invalidateTenant', (cache: CacheService) => cache.invalidateTenant('acme')],
  ])(
    '%s during a load: its value is not kept, and callers after do not wait for it',
    async (_name, change) => {
      const cache = createCache();
      const { load, end } = heldLoad<Head>();
      const early = cache.wrap(key, 60_000, load);
      await settle();
      await change(cache);
      const late = await cache.wrap(key, 60_000, loadHead('after'));
      end({ title: 'before' });
      expect(await early).toEqual({ title: 'before' });
      expect(late).toEqual({ title: 'after' });
      expect(await cached(cache, key)).toEqual({ title: 'after' });
    },
  );

  it('is limited by number of entries and by bytes', async () => {
    const few = createCache({ MAX_CACHE_SIZE: '3' });
    for (let id = 0; id < 10; id++) await few.wrap(heads.key('acme', String(id)), 60_000, loadHead('x'));
    expect(few.stats().l1).toMatchObject({ entries: 3, maxEntries: 3, evictions: 7 });

    const small = createCache({ CACHE_MAX_BYTES: '65536' });
    const title = 'x'.repeat(5000);
    for (let id = 0; id < 10; id++) await small.wrap(heads.key('acme', String(id)), 60_000, loadHead(title));
    const { entries, bytes, maxBytes } = small.stats().l1;
    expect(entries).toBeGreaterThan(0);
    expect(entries).toBeLessThan(10);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
  });

  it('returns frozen values, so that no caller can change them for others', async () => {
    const cache = createCache();
    const value = await cache.wrap(
      new CacheFamily<{ inner: { list: number[] }; at: Date }>('f').key('t', '1'),
      1000,
      () => Promise.resolve({ inner: { list: [1] }, at: new Date(0) }),
    );
    expect(() => value?.inner.list.push(2)).toThrow(TypeError);
    expect(value?.at).toEqual(new Date(0));
  });

  it('distinguishes keys by family, tenant and id', async () => {
    const cache = createCache();
    const others = new CacheFamily<Head>('other');
    await cache.wrap(heads.key('a', 'b'), 1000, loadHead('1'));
    expect(await cached(cache, others.key('a', 'b'))).toBeUndefined();
    expect(await cached(cache, heads.key('ab', ''))).toBeUndefined();
  });
});
