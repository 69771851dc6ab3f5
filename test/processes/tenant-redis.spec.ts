import { type Document, serialize } from 'bson';
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { CacheFamily, CacheService } from '../../src/cache/index.js';
import { createApiKey, hashApiKey } from '../../src/tenant/api-key.js';
import { KeyVerifier, type Verdict } from '../../src/tenant/key-verifier.js';
import { TenantDirectory } from '../../src/tenant/tenant-directory.js';
import { TenantService } from '../../src/tenant/tenant.service.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { describeWithRedis, redisPrefix, type RedisProcess, startRedis } from '../support/redis.js';

/** Longer than any message takes or any entry in memory lives, shorter than an entry in Redis lives. */
const PATIENCE_MS = 90_000;

/** Polls until the response is the expected one, and returns the last response. */
async function eventually<T>(ask: () => Promise<T>, isWished: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (isWished(answer) || Date.now() >= deadline) return answer;
    await delay(20);
  }
}

describeWithRedis('keys, tenants and features in processes that share Redis', () => {
  let redis: RedisProcess;
  let client: Redis;
  let first: TestApp;
  let second: TestApp;
  let settings: Record<string, string>;
  const prefix = redisPrefix();
  let count = 0;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    client.on('error', () => undefined);
    settings = {
      REDIS_URL: redis.url,
      REDIS_KEY_PREFIX: prefix,
      REDIS_PROBE_INTERVAL_MS: '50',
      REDIS_COMMAND_TIMEOUT_MS: '5000',
    };
    first = await createTestApp(settings);
    settings['MONGODB_URI'] = first.database.uri;
    second = await createTestApp(settings);
  });
  afterAll(async () => {
    for (const app of [second, first]) await app.close();
    client.disconnect();
    await redis.remove();
  });
  afterEach(() => jest.restoreAllMocks());

  const makeTenant = async (): Promise<{ tenantId: string; apiKey: string; keyId: string }> => {
    const tenantId = `shared-${++count}`;
    const { apiKey } = await first.createTenant(tenantId);
    return { tenantId, apiKey, keyId: apiKey.split('_')[1] ?? '' };
  };
  const verifierOf = ({ app }: TestApp): KeyVerifier => app.get(KeyVerifier);
  const outcomeOf = async (app: TestApp, apiKey: string): Promise<string> =>
    (await verifierOf(app).verify(apiKey)).outcome;

  describe('whoever can write to Redis', () => {
    /** Writes an entry as a process of this service writes those that it shares. */
    const forge = async (tenantId: string, family: string, id: string, value: Document): Promise<void> => {
      const base = `${prefix}:{${tenantId}}:cache`;
      const generation = (await client.get(`${base}:generation`)) ?? '1';
      await client.set(`${base}:generation`, generation);
      const key = `${base}:entry:${family}:${id}`;
      await client.hset(key, { g: generation, v: Buffer.from(serialize({ v: value })), t: Date.now() });
      await client.pexpire(key, PATIENCE_MS);
    };

    it('can forge an entry that processes share (otherwise the tests below prove nothing)', async () => {
      const { tenantId } = await makeTenant();
      await forge(tenantId, 'probe', 'x', { from: 'forger' });
      const key = new CacheFamily<Document>('probe').key(tenantId, 'x');
      const found = await first.app
        .get(CacheService)
        .wrap(key, 60_000, () => Promise.resolve({ from: 'me' }));
      expect(found).toEqual({ from: 'forger' });
    });

    it('cannot make an API key', async () => {
      const { tenantId } = await makeTenant();
      const { text, keyId, hash } = createApiKey();
      await forge('~keys', 'api-key', keyId, { tenantId, hash, isRevoked: false });
      for (const app of [first, second]) {
        expect(await outcomeOf(app, text)).toBe('unknown');
        expect(await app.request('GET', '/v1/tenant', undefined, {}, text)).toMatchObject({ status: 401 });
      }
    });

    it('cannot change the tenant of a key, a plan or a feature', async () => {
      const { tenantId, apiKey, keyId } = await makeTenant();
      const other = await makeTenant();
      await forge('~keys', 'api-key', keyId, {
        tenantId: other.tenantId,
        hash: hashApiKey(apiKey),
        isRevoked: false,
      });
      await forge(tenantId, 'tenant', 'tenant', { tenantId, name: 'x', plan: 'forged', isActive: true });
      expect(await verifierOf(second).verify(apiKey)).toMatchObject({
        outcome: 'valid',
        identity: { tenantId, plan: 'free' },
      });
    });

    it('finds neither keys nor tenants there', async () => {
      const { tenantId, apiKey, keyId } = await makeTenant();
      for (const app of [first, second]) expect(await outcomeOf(app, apiKey)).toBe('valid');
      expect(await client.keys(`${prefix}:*:entry:*${keyId}*`)).toEqual([]);
      expect(await client.keys(`${prefix}:{${tenantId}}:*:entry:*`)).toEqual([]);
    });
  });

  const revokedElsewhere = async (other: TestApp): Promise<string> => {
    const { tenantId, apiKey, keyId } = await makeTenant();
    expect([await outcomeOf(first, apiKey), await outcomeOf(other, apiKey)]).toEqual(['valid', 'valid']);
    await first.app.get(TenantService).revokeKey(tenantId, keyId);
    expect(await outcomeOf(first, apiKey)).toBe('unknown');
    return eventually(
      () => outcomeOf(other, apiKey),
      (outcome) => outcome === 'unknown',
    );
  };
  const changedElsewhere = async (other: TestApp): Promise<Verdict> => {
    const { tenantId, apiKey } = await makeTenant();
    expect(await verifierOf(other).verify(apiKey)).toMatchObject({ identity: { plan: 'free' } });
    await first.app.get(TenantService).update(tenantId, { plan: 'pro', features: { responder: false } });
    return eventually(
      () => verifierOf(other).verify(apiKey),
      (seen) => seen.outcome === 'valid' && seen.identity.plan === 'pro',
    );
  };
  const changed = { identity: { plan: 'pro', features: { responder: false } } };

  it('rejects a key in one process that was revoked through another', async () => {
    expect(await revokedElsewhere(second)).toBe('unknown');
  });

  it('applies a changed plan and features in another process', async () => {
    expect(await changedElsewhere(second)).toMatchObject(changed);
  });

  describe('a process that receives no messages from others', () => {
    let deaf: TestApp;
    const user = (...rules: string[]): Promise<unknown> =>
      client.call('ACL', 'SETUSER', 'deaf', 'on', '>deaf', '~*', '+@all', ...rules);
    beforeAll(async () => {
      await user('resetchannels');
      const url = redis.url.replace('redis://', 'redis://deaf:deaf@');
      deaf = await createTestApp({ ...settings, REDIS_URL: url });
    });
    afterAll(async () => {
      await user('allchannels');
      await deaf.close();
    });

    it('rejects a key that was revoked through another process', async () => {
      expect(await revokedElsewhere(deaf)).toBe('unknown');
    });

    it('applies a changed plan and features', async () => {
      expect(await changedElsewhere(deaf)).toMatchObject(changed);
    });
  });

  describe('sharedState', () => {
    const probes = new CacheFamily<{ from: string }>('probe');
    /** The value that a process gets. It loads its own value if none is shared. */
    const probe = async (app: TestApp, tenantId: string, from: string): Promise<string | undefined> =>
      (
        await app.app
          .get(CacheService)
          .wrap(probes.key(tenantId, 'x'), 60_000, () => Promise.resolve({ from }))
      )?.from;
    const turn = async (tenantId: string, sharedState: boolean): Promise<void> => {
      await first.app.get(TenantService).update(tenantId, { features: { sharedState } });
      for (const { app } of [first, second])
        await eventually(
          () => app.get(TenantDirectory).features(tenantId),
          (features) => features.sharedState === sharedState,
        );
    };

    it('lets processes share the entries of a tenant', async () => {
      const { tenantId } = await makeTenant();
      expect(await probe(first, tenantId, 'first')).toBe('first');
      expect(await probe(second, tenantId, 'second')).toBe('first');
    });

    it('keeps only the entries of that tenant out of Redis when switched off', async () => {
      const { tenantId } = await makeTenant();
      const other = await makeTenant();
      await turn(tenantId, false);
      expect(await probe(first, tenantId, 'first')).toBe('first');
      expect(await probe(second, tenantId, 'second')).toBe('second');
      expect(await client.keys(`${prefix}:*${tenantId}*probe*`)).toEqual([]);
      expect(await probe(first, other.tenantId, 'first')).toBe('first');
      expect(await probe(second, other.tenantId, 'second')).toBe('first');
      expect(await client.keys(`${prefix}:*${other.tenantId}*probe*`)).toHaveLength(1);
    });

    it('does not restore earlier shared entries when switched on again', async () => {
      const { tenantId } = await makeTenant();
      expect(await probe(first, tenantId, 'old')).toBe('old');
      await turn(tenantId, false);
      await turn(tenantId, true);
      expect(await probe(second, tenantId, 'new')).toBe('new');
      expect(await probe(first, tenantId, 'newer')).toBe('new');
    });
  });

  it('rejects a key revoked during a Redis outage in all processes, during the outage and after it', async () => {
    const { tenantId, apiKey, keyId } = await makeTenant();
    for (const app of [first, second]) expect(await outcomeOf(app, apiKey)).toBe('valid');
    await redis.signal('SIGKILL');
    await first.app.get(TenantService).revokeKey(tenantId, keyId);
    expect(await outcomeOf(first, apiKey)).toBe('unknown');
    const isRefused = (outcome: string): boolean => outcome === 'unknown';
    expect(await eventually(() => outcomeOf(second, apiKey), isRefused)).toBe('unknown');
    await redis.restart();
    const isTrusted = ({ app }: TestApp): boolean => app.get(CacheService).stats().l2.state === 'closed';
    for (const app of [first, second]) await eventually(() => Promise.resolve(isTrusted(app)), Boolean);
    expect([first, second].map(isTrusted)).toEqual([true, true]);
    for (const app of [first, second]) expect(await outcomeOf(app, apiKey)).toBe('unknown');
  });
});
