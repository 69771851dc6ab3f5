import { Redis } from 'ioredis';
import { retryPolicy } from '../../src/common/index.js';
import { ProblemError } from '../../src/http/index.js';
import { RedisKeys, RedisService } from '../../src/redis/index.js';
import {
  ConversationStateManager,
  SessionService,
  type SessionState,
  SessionStore,
  type SessionStoreStats,
  SHARED_SESSION_POLICY,
  type SharedSessionPolicy,
} from '../../src/session/index.js';
import { preconditionOf } from '../../src/session/precondition.js';
import { SessionEditor } from '../../src/session/session-editor.js';
import { SharedSessions } from '../../src/session/shared-sessions.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';

interface Process {
  app: TestApp;
  sessions: SessionService;
  editor: SessionEditor;
  memory: ConversationStateManager;
  redis: RedisService;
  stats: () => SessionStoreStats;
}

const processOf = (app: TestApp): Process => ({
  app,
  sessions: app.app.get(SessionService),
  editor: app.app.get(SessionEditor),
  memory: app.app.get(ConversationStateManager),
  redis: app.app.get(RedisService),
  stats: () => app.app.get(SessionStore).stats(),
});

const isMismatch = (error: unknown): boolean => error instanceof ProblemError && error.problem.status === 412;

const retryMismatch = retryPolicy({
  attempts: Infinity,
  backoff: { baseMs: 20, maxMs: 2000, jitter: 1 },
  isRetryable: isMismatch,
});

const count = (state: SessionState): { context: { n: number } } => ({
  context: { n: Number(state.context['n'] ?? 0) + 1 },
});

describeWithRedis('sessions shared through Redis', () => {
  const tenantId = 'acme';
  const prefix = redisPrefix();
  const keys = new RedisKeys(prefix, 'session');
  let server: RedisProcess;
  let probe: Redis;
  let one: Process;
  let other: Process;

  const settings = (): Record<string, string> => ({
    REDIS_URL: server.url,
    REDIS_KEY_PREFIX: prefix,
    REDIS_PROBE_INTERVAL_MS: '50',
    // Timeouts are not tested here, and the machine may be busy.
    REDIS_COMMAND_TIMEOUT_MS: '1000',
  });
  const startSecond = async (more: Record<string, string> = {}): Promise<Process> =>
    processOf(await createTestApp({ MONGODB_URI: one.app.database.uri, ...settings(), ...more }));
  const entry = (participantId: string): Promise<Record<string, string>> =>
    probe.hgetall(keys.of(tenantId, participantId));
  const versionIn = async (participantId: string): Promise<number> =>
    Number((await entry(participantId))['v']);
  const rowOf = (participantId: string): Promise<Record<string, unknown> | null> =>
    one.app.database.collection('sessions').findOne({ tenantId, participantId });
  const increment = ({ sessions }: Process, participantId: string): Promise<SessionState> =>
    sessions.withRetry(tenantId, participantId, (state) => sessions.save(state, count(state)));

  beforeAll(async () => {
    server = await startRedis();
    probe = new Redis(server.url);
    probe.on('error', () => undefined);
    one = processOf(await createTestApp(settings()));
    other = await startSecond();
    await eventually(async () => {
      const [, subscribers] = (await probe.pubsub('NUMSUB', keys.channel)) as [string, number];
      return subscribers === 2;
    });
  });
  afterAll(async () => {
    probe.disconnect();
    await other.app.close();
    await one.app.close();
    await server.remove();
  });

  it('returns a session to another process exactly as stored, without reading the database', async () => {
    const context = { text: 'naïve 日本語 🎉\n\u0001', 'a.b': { 'c.d': [null, 1.5, {}] }, empty: {} };
    await one.editor.patch(tenantId, 'seen', {
      context,
      activeGoals: [{ id: 'g', type: 'book', status: 'active', slots: { city: 'Lisbon' } }],
    });
    const before = other.stats();
    const opened = await other.sessions.open(tenantId, 'seen');
    const after = other.stats();
    expect(after.database.reads).toBe(before.database.reads);
    expect([after.opens.l2 - before.opens.l2, after.l2.hits - before.l2.hits]).toEqual([1, 1]);
    expect(opened).toEqual(await other.sessions.read(tenantId, 'seen'));
    expect(opened.context).toEqual(context);
    await other.sessions.open(tenantId, 'seen');
    expect(other.stats().opens.l1 - after.opens.l1).toBe(1);
  });

  it('does not read the database for a warm session, whichever process writes', async () => {
    await increment(one, 'warm');
    const before = [one, other].map(({ stats }) => stats().database.reads);
    for (let i = 0; i < 10; i++) {
      const [writer, next] = i % 2 ? [one, other] : [other, one];
      const { version } = await increment(writer, 'warm');
      // The invalidation message has been sent. Once it is received, no old copy is left.
      await eventually(() => [undefined, version].includes(next.memory.peek(tenantId, 'warm')?.version));
    }
    expect(await rowOf('warm')).toMatchObject({ version: 11, context: { n: 11 } });
    const reads = [one, other].map(({ stats }, i) => stats().database.reads - (before[i] ?? 0));
    expect(reads).toEqual([0, 0]);
  });

  it('drops a copy from the memory of another process when a newer version is stored', async () => {
    await increment(one, 'news');
    await other.sessions.open(tenantId, 'news');
    expect(other.memory.peek(tenantId, 'news')?.version).toBe(1);
    await increment(one, 'news');
    await eventually(() => other.memory.peek(tenantId, 'news') === undefined);
    expect(one.memory.peek(tenantId, 'news')?.version).toBe(2);
    expect((await other.sessions.open(tenantId, 'news')).version).toBe(2);
  });

  it('causes a retry and loses no update when the message is lost', async () => {
    await increment(one, 'lost');
    const old = await other.sessions.open(tenantId, 'lost');
    await increment(one, 'lost');
    await eventually(() => other.memory.peek(tenantId, 'lost') === undefined);
    // As if the message had not been received.
    if (old.id !== null) other.memory.put({ ...old, id: old.id });
    const before = other.stats().database.conflicts;
    expect((await increment(other, 'lost')).context).toEqual({ n: 3 });
    expect(other.stats().database.conflicts - before).toBe(1);
  });

  it.each([
    ['a version that was never stored', { v: '999' }],
    ['a session that is not the stored one', { i: 'ffffffffffffffffffffffff', c: '9999999999999', v: '7' }],
  ])('recovers from %s in Redis: one conflict, and the entry is removed', async (_name, fields) => {
    const participant = `bogus-${fields.v}`;
    await increment(one, participant);
    await probe.hset(keys.of(tenantId, participant), fields);
    one.memory.clear();
    const before = one.stats().database.conflicts;
    expect(await increment(one, participant)).toMatchObject({ version: 2, context: { n: 2 } });
    expect(one.stats().database.conflicts - before).toBe(1);
    expect(await versionIn(participant)).toBe(2);
    one.memory.clear();
    expect(await increment(one, participant)).toMatchObject({ version: 3, context: { n: 3 } });
    expect(one.stats().database.conflicts - before).toBe(1);
  });

  it('treats an unreadable entry as missing, and replaces it', async () => {
    await increment(one, 'broken');
    await probe.hset(keys.of(tenantId, 'broken'), { d: '{"activeGoals":' });
    one.memory.clear();
    expect((await one.sessions.open(tenantId, 'broken')).version).toBe(1);
    expect(JSON.parse((await entry('broken'))['d'] ?? '')).toEqual({ activeGoals: [], context: { n: 1 } });
  });

  it('expires SESSION_TTL_HOURS after the last write or read, but never after the session itself has expired', async () => {
    const key = keys.of(tenantId, 'ttl');
    const ttl = 2 * 3_600_000;
    await increment(one, 'ttl');
    expect(await probe.pttl(key)).toBeGreaterThan(ttl - 60_000);
    await probe.pexpire(key, 100_000);
    other.memory.clear();
    await other.sessions.open(tenantId, 'ttl');
    expect(await probe.pttl(key)).toBeGreaterThan(ttl - 60_000);
    await probe.pexpire(key, 100_000);
    await increment(one, 'ttl');
    expect(await probe.pttl(key)).toBeGreaterThan(ttl - 60_000);
    expect(await probe.pttl(key)).toBeLessThanOrEqual(ttl);

    await probe.hset(key, { x: String(Date.now() + 60_000) });
    other.memory.clear();
    await other.sessions.open(tenantId, 'ttl');
    expect(await probe.pttl(key)).toBeLessThanOrEqual(60_000);
    await probe.hset(key, { x: '1' });
    other.memory.clear();
    await other.sessions.open(tenantId, 'ttl');
    // The expired entry was replaced by the state in the database.
    expect(Number((await entry('ttl'))['x'])).toBeGreaterThan(Date.now());
  });

  it('deletes a session in all tiers and processes, and a late write to Redis does not restore it', async () => {
    await increment(one, 'gone');
    const state = await other.sessions.open(tenantId, 'gone');
    await one.sessions.delete(tenantId, 'gone');
    await eventually(() => other.memory.peek(tenantId, 'gone') === undefined);
    expect(Object.keys(await entry('gone')).sort()).toEqual(['c', 'i', 'v']);
    expect(await probe.pttl(keys.of(tenantId, 'gone'))).toBeLessThanOrEqual(300_000);
    // The state that another process was about to write to Redis when the session was deleted.
    if (state.id === null) throw new Error('not stored');
    const shared = other.app.app.get(SharedSessions);
    const late = { ...state, id: state.id, version: 50 };
    expect(await shared.put(late, true)).toBe('older');
    expect(await entry('gone')).not.toHaveProperty('d');
    expect(await other.sessions.open(tenantId, 'gone')).toMatchObject({ id: null, version: 0 });

    const anew = await increment(other, 'gone');
    expect(anew).toMatchObject({ version: 1, context: { n: 1 } });
    expect(await entry('gone')).toMatchObject({ i: anew.id, v: '1' });
    expect(await shared.put(late, true)).toBe('older');
    expect((await one.sessions.open(tenantId, 'gone')).id).toBe(anew.id);
  });

  it('keeps sessions of a tenant without shared state out of Redis, and removes existing entries', async () => {
    await increment(one, 'switched');
    const switched = [one, other].map(({ app }) =>
      jest
        .spyOn(app.app.get<SharedSessionPolicy>(SHARED_SESSION_POLICY), 'allows')
        .mockImplementation((tenant) => tenant !== tenantId),
    );
    try {
      const { skipped, hits } = other.stats().l2;
      expect(await increment(other, 'switched')).toMatchObject({ version: 2 });
      expect(await versionIn('switched')).toBe(1);
      expect(other.stats().l2).toMatchObject({ skipped: skipped + 3, hits });
      await other.sessions.delete(tenantId, 'switched');
      expect(await entry('switched')).not.toHaveProperty('d');
      await one.editor.patch('globex', 'switched', {});
      expect(await probe.exists(keys.of('globex', 'switched'))).toBe(1);
    } finally {
      for (const allows of switched) allows.mockRestore();
    }
  });

  it('notifies other processes of a new version even if the tenant must not keep its sessions in Redis', async () => {
    const switched = [one, other].map(({ app }) =>
      jest
        .spyOn(app.app.get<SharedSessionPolicy>(SHARED_SESSION_POLICY), 'allows')
        .mockImplementation((tenant) => tenant !== tenantId),
    );
    try {
      await increment(one, 'unshared');
      await other.sessions.open(tenantId, 'unshared');
      expect(other.memory.peek(tenantId, 'unshared')?.version).toBe(1);
      await increment(one, 'unshared');
      await eventually(() => other.memory.peek(tenantId, 'unshared') === undefined);
      expect(one.memory.peek(tenantId, 'unshared')?.version).toBe(2);
      const { conflicts } = other.stats().database;
      expect(await increment(other, 'unshared')).toMatchObject({ version: 3, context: { n: 3 } });
      expect(other.stats().database.conflicts).toBe(conflicts);
      expect(await entry('unshared')).toEqual({});
    } finally {
      for (const allows of switched) allows.mockRestore();
    }
  });

  it('keeps sessions out of Redis when it is unknown whether the tenant may use it', async () => {
    const policy = one.app.app.get<SharedSessionPolicy>(SHARED_SESSION_POLICY);
    const allows = jest.spyOn(policy, 'allows').mockRejectedValue(new Error('no features'));
    try {
      expect(await increment(one, 'unsaid')).toMatchObject({ version: 1 });
      expect(await entry('unsaid')).toEqual({});
    } finally {
      allows.mockRestore();
    }
  });

  it('distinguishes keys whose parts concatenate to the same text, and tenants', async () => {
    const pairs = [
      ['a', 'b:c'],
      ['a:b', 'c'],
      ['a}', 'b'],
      ['a', '}b'],
      ['acme', 'ann'],
      ['globex', 'ann'],
    ] as const;
    for (const [tenant, participant] of pairs)
      await one.editor.patch(tenant, participant, { context: { of: [tenant, participant] } });
    other.memory.clear();
    for (const [tenant, participant] of pairs)
      expect((await other.sessions.open(tenant, participant)).context).toEqual({ of: [tenant, participant] });
    await one.sessions.delete('globex', 'ann');
    expect((await other.sessions.open('acme', 'ann')).context).toEqual({ of: ['acme', 'ann'] });
  });

  it('writes nothing to Redis for a rejected save', async () => {
    await increment(one, 'aborted');
    const before = await entry('aborted');
    const state = await one.sessions.open(tenantId, 'aborted');
    const refusing = {
      write: () => {
        throw new Error('refused');
      },
    };
    const saved = one.sessions.saveWith(state, { context: { n: 50 } }, () => refusing);
    await expect(saved).rejects.toThrow('refused');
    expect(await entry('aborted')).toEqual(before);
    expect((await other.sessions.open(tenantId, 'aborted')).context).toEqual({ n: 1 });
  });

  const addWithIfMatch = async ({ sessions, editor }: Process, participantId: string): Promise<void> => {
    await retryMismatch(async () => {
      const { version, context } = await sessions.read(tenantId, participantId);
      const patch = { context: { n: Number(context['n']) + 1 } };
      await editor.patch(tenantId, participantId, patch, preconditionOf({ 'if-match': `"${version}"` }));
    });
  };

  it('counts 80 concurrent increments through two processes exactly', async () => {
    await one.editor.patch(tenantId, 'counter', { context: { n: 0 } });
    await Promise.all(Array.from({ length: 80 }, (_, i) => addWithIfMatch(i % 2 ? one : other, 'counter')));
    expect(await rowOf('counter')).toMatchObject({ version: 81, context: { n: 80 } });
    expect(await versionIn('counter')).toBe(81);
  });

  // The following tests kill the server, so they run last.
  it('loses no update while Redis is killed and restarted', async () => {
    await one.editor.patch(tenantId, 'crash', { context: { n: 0 } });
    let done = 0;
    const half = (async () => {
      await eventually(() => done >= 50);
      await server.signal('SIGKILL');
      await eventually(() => !one.redis.available && !other.redis.available && done >= 100);
      await server.restart();
    })();
    await Promise.all(
      Array.from({ length: 20 }, async (_, client) => {
        for (let i = 0; i < 10; i++) {
          await addWithIfMatch(client % 2 ? one : other, 'crash');
          done++;
        }
      }),
    );
    await half;
    expect(await rowOf('crash')).toMatchObject({ version: 201, context: { n: 200 } });
    await eventually(() => one.redis.available && other.redis.available);
    await increment(one, 'crash');
    expect(await versionIn('crash')).toBe(202);
  });

  it('repeats a deletion that did not reach Redis before Redis is used again', async () => {
    await eventually(() => one.redis.available);
    await increment(one, 'missed');
    const kept = await entry('missed');
    expect(kept['v']).toBe('1');
    await server.signal('SIGKILL');
    await eventually(() => !one.redis.available);
    await one.sessions.delete(tenantId, 'missed');
    expect(one.stats().l2).toMatchObject({ pendingDeletions: 1 });
    expect(one.stats().l2.state).not.toBe('closed');
    await server.restart();
    await eventually(() => one.redis.available);
    expect(one.stats().l2.pendingDeletions).toBe(0);
    await eventually(() => probe.status === 'ready');
    expect(await entry('missed')).toMatchObject({ i: kept['i'], v: String(Number.MAX_SAFE_INTEGER) });
  });

  it('does not read an entry whose deletion timed out, and soon repeats the deletion', async () => {
    await eventually(() => one.redis.available && other.redis.available);
    const quick = await startSecond({ REDIS_COMMAND_TIMEOUT_MS: '50', REDIS_BREAKER_FAILURES: '1000' });
    try {
      await eventually(() => quick.redis.available);
      await increment(quick, 'slow');
      await server.signal('SIGSTOP');
      await quick.sessions.delete(tenantId, 'slow');
      expect(quick.redis.available).toBe(true);
      expect(quick.stats().l2.pendingDeletions).toBe(1);
      const before = quick.stats().l2.skipped;
      expect(await quick.sessions.open(tenantId, 'slow')).toMatchObject({ id: null });
      expect(quick.stats().l2.skipped - before).toBe(1);
      await server.signal('SIGCONT');
      await eventually(() => quick.stats().l2.pendingDeletions === 0);
      expect(await entry('slow')).not.toHaveProperty('d');
    } finally {
      await server.signal('SIGCONT');
      await quick.app.close();
    }
  });

  it('starts and works while Redis is down, and uses it once it is available', async () => {
    await server.signal('SIGKILL');
    const late = await startSecond();
    try {
      expect(late.stats().l2.state).not.toBe('closed');
      expect(await increment(late, 'late')).toMatchObject({ version: 1 });
      expect(await increment(late, 'late')).toMatchObject({ version: 2 });
      expect(late.stats().l2.skipped).toBeGreaterThan(0);
      await server.restart();
      await eventually(() => late.redis.available && probe.status === 'ready');
      await increment(late, 'late');
      expect(await versionIn('late')).toBe(3);
    } finally {
      await late.app.close();
    }
  });
});
