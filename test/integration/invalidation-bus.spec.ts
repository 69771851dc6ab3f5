import type { Redis } from 'ioredis';
import { loadSettings } from '../../src/config/index.js';
import { createLogger } from '../../src/logging/index.js';
import { type Invalidation, InvalidationBus, RedisService } from '../../src/redis/index.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';

/** A simulated process that keeps a set of names in Redis, each of which can be deleted. */
interface Process {
  redis: RedisService;
  bus: InvalidationBus<Invalidation>;
  received: unknown[];
  gaps: number;
  /** Deletions applied in Redis, including repeated ones. */
  applied: (string | undefined)[];
}

/** Polls until the check returns true. The timeout of jest limits the wait. */
async function eventually(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setImmediate(resolve));
}

describeWithRedis('InvalidationBus', () => {
  let server: RedisProcess;
  let prefix: string;
  let processes: Process[];

  async function open(): Promise<Process> {
    const settings = loadSettings({
      NODE_ENV: 'test',
      REDIS_URL: server.url,
      REDIS_KEY_PREFIX: prefix,
      REDIS_COMMAND_TIMEOUT_MS: '2000',
      REDIS_CONNECT_TIMEOUT_MS: '5000',
      REDIS_PROBE_INTERVAL_MS: '20',
    });
    const logger = createLogger({ level: 'silent', pretty: false });
    const redis = new RedisService(settings.redis, logger);
    const process: Process = {
      redis,
      received: [],
      gaps: 0,
      applied: [],
      bus: new InvalidationBus(redis, logger, {
        module: 'names',
        apply: async (client: Redis, { tenantId, id }) => {
          await client.publish(process.bus.keys.channel, process.bus.message({ tenantId, id }));
          process.applied.push(id);
        },
      }),
    };
    process.bus.listen({
      onMessage: (message) => process.received.push(message),
      onGap: () => process.gaps++,
    });
    processes.push(process);
    await redis.onModuleInit();
    await eventually(() => redis.available && process.gaps === 1);
    return process;
  }

  beforeEach(async () => {
    prefix = redisPrefix();
    processes = [];
    server = await startRedis();
  });
  afterEach(async () => {
    for (const { bus, redis } of processes) {
      bus.stop();
      await redis.onApplicationShutdown();
    }
    await server.remove();
  });

  it('notifies every other process, and not the one that invalidated', async () => {
    const [a, b, c] = [await open(), await open(), await open()];
    expect(await a.bus.invalidate({ tenantId: 'acme', id: 'x' })).toBe(true);
    await b.bus.publish({ last: true });
    await eventually(() => a.received.length === 1 && c.received.length === 2);
    expect(a.received).toEqual([expect.objectContaining({ last: true })]);
    expect(b.received).toEqual([expect.objectContaining({ tenantId: 'acme', id: 'x' })]);
    expect(c.received[0]).toMatchObject({ tenantId: 'acme', id: 'x' });
    expect(a.bus.pendingCount).toBe(0);
  });

  it('ignores messages that are not a JSON object', async () => {
    const [a, b] = [await open(), await open()];
    for (const text of ['nonsense', '7', 'null'])
      await b.redis.call((client) => client.publish(a.bus.keys.channel, text));
    await b.bus.publish({ last: true });
    await eventually(() => a.received.length > 0);
    expect(a.received).toEqual([expect.objectContaining({ last: true })]);
  });

  it('reports a gap after an outage, and when Redis is trusted again', async () => {
    const a = await open();
    expect(a.bus.trustedSince).toBe(0);
    await server.signal('SIGKILL');
    await eventually(() => !a.redis.available);
    await server.restart();
    await eventually(() => a.redis.available && a.gaps === 2);
    expect(a.bus.trustedSince).toBeGreaterThan(0);
  });

  it('repeats the latest invalidation of each entry that did not reach Redis, before Redis is trusted again', async () => {
    const a = await open();
    await server.signal('SIGKILL');
    await eventually(() => !a.redis.available);
    for (const id of ['x', 'y', 'x']) expect(await a.bus.invalidate({ tenantId: 'acme', id })).toBe(false);
    expect(a.bus.pendingCount).toBe(2);
    expect([a.bus.isPending('acme', 'x'), a.bus.isPending('acme', 'z')]).toEqual([true, false]);
    let pendingWhenTrusted: number | undefined;
    // Runs after the hook of the bus.
    a.redis.beforeTrust(() => {
      pendingWhenTrusted = a.bus.pendingCount;
      return Promise.resolve();
    });
    await server.restart();
    await eventually(() => a.redis.available);
    expect(pendingWhenTrusted).toBe(0);
    expect(a.applied).toEqual(['y', 'x']);
    expect(a.bus.isPending('acme', 'x')).toBe(false);
  });

  it('repeats a single call that failed while Redis stays available', async () => {
    const a = await open();
    const call = jest.spyOn(a.redis, 'call').mockRejectedValueOnce(new Error('timed out'));
    try {
      expect(await a.bus.invalidate({ tenantId: 'acme', id: 'x' })).toBe(false);
      await eventually(() => a.bus.pendingCount === 0);
      expect(a.applied).toEqual(['x']);
    } finally {
      call.mockRestore();
    }
  });
});
