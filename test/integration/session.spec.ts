import { retryPolicy } from '../../src/common/index.js';
import { ProblemError } from '../../src/http/index.js';
import {
  ConversationStateManager,
  SessionConflictError,
  SessionService,
  type SessionState,
} from '../../src/session/index.js';
import { preconditionOf } from '../../src/session/precondition.js';
import { SessionEditor } from '../../src/session/session-editor.js';
import { createTestApp, type TestApp } from '../support/app.js';

interface Process {
  sessions: SessionService;
  editor: SessionEditor;
  memory: ConversationStateManager;
}

const processOf = ({ app }: TestApp): Process => ({
  sessions: app.get(SessionService),
  editor: app.get(SessionEditor),
  memory: app.get(ConversationStateManager),
});

const isMismatch = (error: unknown): boolean => error instanceof ProblemError && error.problem.status === 412;

const retryMismatch = retryPolicy({
  attempts: Infinity,
  backoff: { baseMs: 20, maxMs: 2000, jitter: 1 },
  isRetryable: isMismatch,
});

/**
 * Reads the session and increments `context.n` with If-Match. On 412 it waits briefly, as clients should, and
 * retries.
 */
const increment = (
  { sessions, editor }: Process,
  tenantId: string,
  participantId: string,
): Promise<SessionState> =>
  retryMismatch(async () => {
    const { version, context } = await sessions.read(tenantId, participantId);
    const patch = { context: { n: Number(context['n']) + 1 } };
    return editor.patch(tenantId, participantId, patch, preconditionOf({ 'if-match': `"${version}"` }));
  });

describe('sessions in the database', () => {
  let first: TestApp;
  let second: TestApp;
  let one: Process;
  let other: Process;

  beforeAll(async () => {
    first = await createTestApp({ MAX_ACTIVE_SESSIONS: '100' });
    second = await createTestApp({ MONGODB_URI: first.database.uri });
    [one, other] = [processOf(first), processOf(second)];
  });
  afterAll(async () => {
    await second.close();
    await first.close();
  });

  const rowsOf = (participantId: string): Promise<Record<string, unknown>[]> =>
    first.database.collection('sessions').find({ tenantId: 'acme', participantId }).toArray();

  it('has a unique index on tenant and participant, and a TTL index', async () => {
    const indexes = await first.database.collection('sessions').indexes();
    expect(indexes).toContainEqual(
      expect.objectContaining({ key: { tenantId: 1, participantId: 1 }, unique: true }),
    );
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }));
  });

  it('returns exactly what was saved', async () => {
    const context = {
      text: 'naïve 日本語 🎉\n\u0001',
      'a.b': { 'c.d': 1 },
      numbers: [0, -1, 1.5, 2 ** 31, 2 ** 53 - 1, 1e300, 5e-324],
      empty: [{}, [], '', null, false],
      deep: { a: { b: { c: { d: [[1]] } } } },
    };
    const goals = [{ id: 'g1', type: 'a/b', status: 'active' as const, slots: { 'x.y': {}, list: [null] } }];
    const saved = await one.sessions.save(await one.sessions.open('acme', 'exact'), {
      context,
      activeGoals: goals,
      conversationId: '6740a1b2c3d4e5f601234567',
    });
    const found = await other.sessions.read('acme', 'exact');
    expect(found).toEqual(saved);
    expect(found).toMatchObject({ context, activeGoals: goals, version: 1 });
  });

  it('is gone at the moment it expires, although the database has not deleted it yet', async () => {
    const { sessions, editor, memory } = one;
    const context = { name: 'Ana' };
    const expire = async (participantId: string, now = Date.now()): Promise<SessionState> => {
      const saved = await sessions.save(await sessions.open('acme', participantId), { context });
      memory.drop('acme', participantId);
      await first.database
        .collection('sessions')
        .updateOne({ tenantId: 'acme', participantId }, { $set: { expiresAt: new Date(now) } });
      return saved;
    };
    const gone = { problem: { status: 404, code: 'session_not_found' } };
    await expire('read');
    await expect(sessions.read('acme', 'read')).rejects.toMatchObject(gone);
    await expire('deleted');
    await expect(sessions.delete('acme', 'deleted')).rejects.toMatchObject(gone);
    const before = await expire('continued');
    const patched = await editor.patch('acme', 'continued', { context: { city: 'Rome' } });
    expect(patched).toMatchObject({ version: 1, context: { city: 'Rome' } });
    expect(patched.id).not.toBe(before.id);
    expect(await rowsOf('continued')).toEqual([expect.objectContaining({ version: 1 })]);
    await expire('reloaded');
    expect(await sessions.reload('acme', 'reloaded')).toMatchObject({ id: null, context: {} });
    await expire('not yet', Date.now() + 60_000);
    expect(await sessions.read('acme', 'not yet')).toMatchObject({ context });
  });

  it('expires SESSION_RETENTION_DAYS after its last change', async () => {
    const before = Date.now();
    const saved = await one.sessions.save(await one.sessions.open('acme', 'lasting'), {});
    const days = (saved.expiresAt.getTime() - before) / 86_400_000;
    expect(days).toBeCloseTo(30, 3);
    expect(await rowsOf('lasting')).toEqual([expect.objectContaining({ expiresAt: saved.expiresAt })]);
  });

  it('is read again after it was evicted from memory', async () => {
    const { goal } = await one.editor.addGoal('acme', 'evicted', { type: 'book', slots: { city: 'Lisbon' } });
    one.memory.clear();
    expect((await one.sessions.open('acme', 'evicted')).activeGoals).toEqual([goal]);
  });

  it('keeps MAX_ACTIVE_SESSIONS of twice as many sessions in memory, and returns the goals of all', async () => {
    one.memory.clear();
    const before = one.memory.getStats();
    const names = Array.from({ length: 200 }, (_, i) => `many-${i}`);
    for (let i = 0; i < names.length; i += 50)
      await Promise.all(
        names
          .slice(i, i + 50)
          .map((name) => one.editor.addGoal('acme', name, { type: 'book', slots: { for: name } })),
      );
    const stats = one.memory.getStats();
    expect(stats).toMatchObject({ size: 100, maxSize: 100, utilizationPercent: 100 });
    expect(stats.evictions - before.evictions).toBe(100);
    for (const name of ['many-0', 'many-99', 'many-199'])
      expect((await one.sessions.open('acme', name)).activeGoals).toMatchObject([{ slots: { for: name } }]);
  });

  it('accepts only one of two saves of the same version', async () => {
    await one.editor.patch('acme', 'cas', { context: { n: 0 } });
    const state = await one.sessions.read('acme', 'cas');
    const outcomes = await Promise.allSettled(
      [one, other, one, other].map(({ sessions }, i) => sessions.save(state, { context: { n: i + 1 } })),
    );
    const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const lost = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    );
    expect(won).toHaveLength(1);
    expect(lost.every((error) => error instanceof SessionConflictError)).toBe(true);
    expect(await rowsOf('cas')).toEqual([expect.objectContaining({ version: 2, context: won[0]?.context })]);
  });

  it('creates one session when many create it concurrently, with every acknowledged change', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 16 }, (_, i) =>
        (i % 2 ? one : other).editor.addGoal('acme', 'born', { type: `goal-${i}`, slots: {} }),
      ),
    );
    const stored = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? [outcome.value.goal.id] : [],
    );
    // A caller that conflicted with the other process four times in a row gets an error.
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(SessionConflictError);
    expect(stored.length).toBeGreaterThanOrEqual(8);
    const [row, ...more] = await rowsOf('born');
    expect(more).toEqual([]);
    expect(row).toMatchObject({ version: stored.length });
    expect((row?.['activeGoals'] as { id: string }[]).map(({ id }) => id).sort()).toEqual(stored.sort());
  });

  it('counts to 100 when 10 clients increment a number 10 times each through two processes', async () => {
    await one.editor.patch('acme', 'counter', { context: { n: 0 } });
    await Promise.all(
      Array.from({ length: 10 }, async (_, client) => {
        for (let i = 0; i < 10; i++) await increment(client % 2 ? one : other, 'acme', 'counter');
      }),
    );
    expect(await rowsOf('counter')).toEqual([expect.objectContaining({ version: 101, context: { n: 100 } })]);
  });

  describe('together with other writes', () => {
    const increase = (state: SessionState): { context: { n: number } } => ({
      context: { n: Number(state.context['n'] ?? 0) + 1 },
    });

    it('is not stored when they are rejected, and memory keeps the committed state', async () => {
      await one.editor.patch('acme', 'rolled-back', { context: { n: 1 } });
      const state = await one.sessions.open('acme', 'rolled-back');
      const refusing = {
        write: () => {
          throw new Error('reply not stored');
        },
      };
      await expect(one.sessions.saveWith(state, increase(state), () => refusing)).rejects.toThrow(
        'reply not stored',
      );
      expect(await rowsOf('rolled-back')).toEqual([
        expect.objectContaining({ version: 1, context: { n: 1 } }),
      ]);
      expect((await one.sessions.open('acme', 'rolled-back')).version).toBe(1);
    });

    it('prevents them from being stored if it conflicts', async () => {
      await one.editor.patch('acme', 'conflicting', { context: { n: 1 } });
      const old = await one.sessions.open('acme', 'conflicting');
      await other.editor.patch('acme', 'conflicting', { context: { n: 5 } });
      const saved = one.sessions.saveWith(old, increase(old), () => ({
        write: (writer) => {
          writer.insert('beside', { tenantId: 'acme' });
        },
      }));
      await expect(saved).rejects.toBeInstanceOf(SessionConflictError);
      expect(await first.database.collection('beside').countDocuments()).toBe(0);
    });

    it('loses no update of two processes that retry', async () => {
      await one.editor.patch('acme', 'both', { context: { n: 0 } });
      const add = ({ sessions }: Process): Promise<SessionState> =>
        sessions.withRetry('acme', 'both', (state) => sessions.save(state, increase(state)));
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, i) => add(i % 2 ? one : other)),
      );
      const added = outcomes.filter(({ status }) => status === 'fulfilled').length;
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(SessionConflictError);
      expect(added).toBeGreaterThanOrEqual(20);
      expect(await rowsOf('both')).toEqual([
        expect.objectContaining({ version: 1 + added, context: { n: added } }),
      ]);
    });
  });

  it('is not restored from the memory of another process after its deletion', async () => {
    await one.editor.patch('acme', 'gone', { context: { private: 'text' } });
    await other.sessions.delete('acme', 'gone');
    expect(await rowsOf('gone')).toEqual([]);
    await one.editor.patch('acme', 'gone', { context: { n: 1 } });
    expect(await rowsOf('gone')).toEqual([expect.objectContaining({ version: 1, context: { n: 1 } })]);
  });

  it("is independent of another tenant's session of the same participant", async () => {
    await one.editor.patch('acme', 'shared', { context: { owner: 'acme' } });
    await one.editor.patch('globex', 'shared', { context: { owner: 'globex' } });
    await one.sessions.delete('globex', 'shared');
    expect((await one.sessions.read('acme', 'shared')).context).toEqual({ owner: 'acme' });
    await expect(one.sessions.read('globex', 'shared')).rejects.toMatchObject({
      problem: { code: 'session_not_found' },
    });
  });
});
