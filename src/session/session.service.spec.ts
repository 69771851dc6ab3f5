import { SchedulerRegistry } from '@nestjs/schedule';
import { loadSettings, type SessionSettings } from '../config/index.js';
import type { GroupCommit, UnitOfWork, UnitWriter } from '../database/index.js';
import type { Logger } from '../logging/index.js';
import { RedisService } from '../redis/index.js';
import { ConversationStateManager } from './conversation-state-manager.js';
import { preconditionOf } from './precondition.js';
import { SessionEditor } from './session-editor.js';
import { SessionStore } from './session-store.js';
import { SessionConflictError } from './session.errors.js';
import type { SessionRepository, StoredState } from './session.repository.js';
import { SessionService } from './session.service.js';
import { SharedSessions } from './shared-sessions.js';
import { takeText } from './state-text.js';

const settings: SessionSettings = {
  SESSION_MEMORY_PROFILE: 'default',
  MAX_ACTIVE_SESSIONS: undefined,
  SESSION_MEMORY_BYTES: undefined,
  SESSION_IDLE_TTL_MS: 3_600_000,
  SESSION_CLEANUP_INTERVAL_MS: 60_000,
  SESSION_TTL_HOURS: 2,
  SESSION_RETENTION_DAYS: 30,
};

/** An in-memory sessions collection, shared by several simulated processes. Counts its reads. */
class StoreFake {
  readonly rows = new Map<string, StoredState>();
  reads = 0;

  find(tenantId: string, participantId: string): Promise<StoredState | null> {
    this.reads++;
    return Promise.resolve(this.rows.get(`${tenantId}/${participantId}`) ?? null);
  }

  write(_writer: UnitWriter, next: StoredState, previous: StoredState | null): void {
    const key = `${next.tenantId}/${next.participantId}`;
    const row = this.rows.get(key);
    const isExpected = previous ? row?.id === previous.id && row.version === previous.version : !row;
    if (!isExpected) throw new SessionConflictError(next.participantId);
    this.rows.set(key, next);
  }

  delete(tenantId: string, participantId: string): Promise<StoredState | null> {
    const key = `${tenantId}/${participantId}`;
    const row = this.rows.get(key) ?? null;
    this.rows.delete(key);
    return Promise.resolve(row);
  }
}

/** Commits immediately, or when a test resolves it. */
class CommitsFake {
  committed: Promise<void> = Promise.resolve();

  async commit<T>(unit: UnitOfWork<T>): Promise<T> {
    const result = unit.write({} as UnitWriter);
    await this.committed;
    return result;
  }
}

const logger = { info: jest.fn(), debug: jest.fn() } as unknown as Logger;

interface Process {
  memory: ConversationStateManager;
  commits: CommitsFake;
  sessions: SessionService;
  editor: SessionEditor;
}

function startProcess(store: StoreFake): Process {
  const memory = new ConversationStateManager(settings, logger, performance, new SchedulerRegistry());
  const commits = new CommitsFake();
  const tiers = new SessionStore(
    memory,
    withoutRedis(),
    store as unknown as SessionRepository,
    commits as unknown as GroupCommit,
  );
  const sessions = new SessionService(tiers, settings);
  return { memory, commits, sessions, editor: new SessionEditor(sessions) };
}

/** Tier 2 without REDIS_URL. */
function withoutRedis(): SharedSessions {
  const { redis } = loadSettings({});
  return new SharedSessions(new RedisService(redis, logger), { allows: () => true }, settings, logger);
}

const problem = (status: number, code: string): object => ({ problem: { status, code } });

describe('SessionService', () => {
  let store: StoreFake;
  let one: Process;
  let other: Process;

  beforeEach(() => {
    store = new StoreFake();
    one = startProcess(store);
    other = startProcess(store);
  });

  it('opens an unknown session as a new one and stores nothing', async () => {
    expect(await one.sessions.open('acme', 'ann')).toMatchObject({ id: null, version: 0, activeGoals: [] });
    expect(store.rows.size).toBe(0);
  });

  it('keeps no JSON text of a session in memory if there is no Redis', async () => {
    await one.sessions.save(await one.sessions.open('acme', 'ann'), { context: { n: 1 } });
    const kept = one.memory.peek('acme', 'ann');
    if (!kept) throw new Error('not in memory');
    const stringify = jest.spyOn(JSON, 'stringify');
    try {
      expect(takeText(kept)).toBe('{"activeGoals":[],"context":{"n":1}}');
      // If the text had been kept, it would have been returned instead of serializing again.
      expect(stringify).toHaveBeenCalledTimes(1);
    } finally {
      stringify.mockRestore();
    }
  });

  it('reads nothing for a session in memory', async () => {
    await one.sessions.save(await one.sessions.open('acme', 'ann'), { context: { n: 1 } });
    const { reads } = store;
    for (let n = 2; n <= 10; n++)
      await one.editor.patch(
        'acme',
        'ann',
        { context: { n } },
        n % 2 ? preconditionOf({ 'if-match': `"${n - 1}"` }) : undefined,
      );
    expect(store.reads).toBe(reads);
    expect(await one.sessions.read('acme', 'ann')).toMatchObject({ version: 10, context: { n: 10 } });
  });

  it('puts a state into memory only after the commit', async () => {
    const first = await one.sessions.save(await one.sessions.open('acme', 'ann'), {});
    let commit: () => void = () => undefined;
    one.commits.committed = new Promise((resolve) => (commit = resolve));
    const saved = one.sessions.save(first, { context: { n: 2 } });
    expect(one.memory.get('acme', 'ann')?.version).toBe(1);
    commit();
    await saved;
    expect(one.memory.get('acme', 'ann')?.version).toBe(2);
  });

  it('keeps the previous state in memory if a save fails for a reason other than a conflict', async () => {
    const first = await one.sessions.save(await one.sessions.open('acme', 'ann'), {});
    one.commits.committed = Promise.reject(new Error('the database is unavailable'));
    await expect(one.sessions.save(first, {})).rejects.toThrow('the database is unavailable');
    expect(one.memory.get('acme', 'ann')?.version).toBe(1);
  });

  it('rejects a save on an old version, drops it from memory and writes nothing', async () => {
    const opened = await one.sessions.save(await one.sessions.open('acme', 'ann'), { context: { n: 1 } });
    await other.editor.patch('acme', 'ann', { context: { n: 2 } });
    await expect(one.sessions.save(opened, { context: { n: 3 } })).rejects.toBeInstanceOf(
      SessionConflictError,
    );
    expect(one.memory.get('acme', 'ann')).toBeUndefined();
    expect(store.rows.get('acme/ann')).toMatchObject({ version: 2, context: { n: 2 } });
  });

  it('rejects a second insert', async () => {
    const fresh = await one.sessions.open('acme', 'ann');
    await other.editor.patch('acme', 'ann', { context: { n: 1 } });
    await expect(one.sessions.save(fresh, {})).rejects.toBeInstanceOf(SessionConflictError);
  });

  it('reruns the work on the stored state after a conflict', async () => {
    await one.editor.patch('acme', 'ann', { context: { n: 1 } });
    await other.editor.patch('acme', 'ann', { context: { n: 10 } });
    const seen: unknown[] = [];
    await one.sessions.withRetry('acme', 'ann', (state) => {
      seen.push(state.context['n']);
      return one.sessions.save(state, { context: { n: Number(state.context['n']) + 1 } });
    });
    expect(seen).toEqual([1, 10]);
    expect(store.rows.get('acme/ann')?.context).toEqual({ n: 11 });
  });

  it('gives up with 409 after 6 attempts', async () => {
    await one.editor.patch('acme', 'ann', {});
    let tries = 0;
    const work = one.sessions.withRetry('acme', 'ann', async (state) => {
      tries++;
      await other.editor.patch('acme', 'ann', {});
      return one.sessions.save(state, {});
    });
    await expect(work).rejects.toMatchObject(problem(409, 'session_conflict'));
    expect(tries).toBe(6);
  });

  it('does not rerun the work after any other error', async () => {
    let tries = 0;
    const work = one.sessions.withRetry('acme', 'ann', () => {
      tries++;
      return Promise.reject(new Error('no reply'));
    });
    await expect(work).rejects.toThrow('no reply');
    expect(tries).toBe(1);
  });

  it('runs work on one session serially, and on different sessions concurrently', async () => {
    const order: string[] = [];
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const first = one.sessions.serialize('acme', 'ann', async () => {
      await gate;
      order.push('first');
    });
    const second = one.sessions.serialize('acme', 'ann', () => Promise.resolve(order.push('second')));
    await one.sessions.serialize('globex', 'ann', () => Promise.resolve(order.push('other tenant')));
    release();
    await Promise.all([first, second]);
    expect(order).toEqual(['other tenant', 'first', 'second']);
  });

  it('ignores an expired copy in memory', async () => {
    await one.editor.patch('acme', 'ann', { context: { n: 1 } });
    const state = store.rows.get('acme/ann');
    if (!state) throw new Error('not stored');
    one.memory.put({ ...state, version: 2, expiresAt: new Date(Date.now() - 1) });
    store.rows.clear();
    expect(await one.sessions.open('acme', 'ann')).toMatchObject({ id: null, version: 0 });
  });

  it('shows readers what another process wrote', async () => {
    await one.editor.patch('acme', 'ann', { context: { n: 1 } });
    await other.editor.patch('acme', 'ann', { context: { n: 2 } });
    expect((await one.sessions.read('acme', 'ann')).context).toEqual({ n: 2 });
  });

  it('does not let a copy in the memory of another process restore a deleted session', async () => {
    await one.editor.patch('acme', 'ann', { context: { secret: 1 } });
    await other.sessions.delete('acme', 'ann');
    await one.editor.patch('acme', 'ann', { context: { n: 1 } });
    expect(store.rows.get('acme/ann')).toMatchObject({ version: 1, context: { n: 1 } });
    await other.sessions.delete('acme', 'ann');
    await expect(other.sessions.delete('acme', 'ann')).rejects.toMatchObject(
      problem(404, 'session_not_found'),
    );
  });

  it('distinguishes a recreated session from the old one of the same version', async () => {
    await one.editor.patch('acme', 'ann', { context: { old: 1 } });
    await other.sessions.delete('acme', 'ann');
    await other.editor.patch('acme', 'ann', { context: { new: 1 } });
    await one.editor.patch('acme', 'ann', { context: { n: 1 } });
    expect(store.rows.get('acme/ann')).toMatchObject({ version: 2, context: { new: 1, n: 1 } });
  });
});

describe('SessionEditor', () => {
  let store: StoreFake;
  let one: Process;
  let other: Process;

  beforeEach(() => {
    store = new StoreFake();
    one = startProcess(store);
    other = startProcess(store);
  });

  it('merges context, replaces goals, and generates omitted ids', async () => {
    await one.editor.patch('acme', 'ann', { context: { a: 1, b: { c: 2 } } });
    const state = await one.editor.patch('acme', 'ann', {
      activeGoals: [
        { type: 'book', status: 'active', slots: { city: 'Lisbon' } },
        { id: 'mine', type: 'pay', status: 'completed', slots: {} },
      ],
      context: { a: null, b: { d: 3 } },
    });
    expect(state.context).toEqual({ b: { c: 2, d: 3 } });
    expect(state.activeGoals).toEqual([
      { id: expect.any(String) as unknown, type: 'book', status: 'active', slots: { city: 'Lisbon' } },
      { id: 'mine', type: 'pay', status: 'completed', slots: {} },
    ]);
    expect(await one.editor.patch('acme', 'ann', { activeGoals: null, context: null })).toMatchObject({
      version: 3,
      activeGoals: [],
      context: {},
    });
  });

  it('merges a patch without If-Match onto what another process wrote', async () => {
    await one.editor.patch('acme', 'ann', { context: { a: 1 } });
    await other.editor.patch('acme', 'ann', { context: { b: 2 } });
    expect((await one.editor.patch('acme', 'ann', { context: { c: 3 } })).context).toEqual({
      a: 1,
      b: 2,
      c: 3,
    });
  });

  it('returns 412 for an If-Match that is not the stored version, even if memory still has it', async () => {
    await one.editor.patch('acme', 'ann', { context: { a: 1 } });
    await other.editor.patch('acme', 'ann', { context: { b: 2 } });
    await expect(
      one.editor.patch('acme', 'ann', { context: { c: 3 } }, preconditionOf({ 'if-match': '"1"' })),
    ).rejects.toMatchObject({
      problem: { status: 412, code: 'version_mismatch', extra: { currentVersion: 2 } },
    });
    expect(store.rows.get('acme/ann')?.context).toEqual({ a: 1, b: 2 });
  });

  it('accepts an If-Match that is the stored version, even if memory has an old one', async () => {
    await one.editor.patch('acme', 'ann', { context: { a: 1 } });
    await other.editor.patch('acme', 'ann', { context: { b: 2 } });
    const state = await one.editor.patch(
      'acme',
      'ann',
      { context: { c: 3 } },
      preconditionOf({ 'if-match': '"2"' }),
    );
    expect(state).toMatchObject({ version: 3, context: { a: 1, b: 2, c: 3 } });
  });

  it('returns 412 for any If-Match if there is no session', async () => {
    for (const header of ['*', '"1"', '"0"'])
      await expect(
        one.editor.patch('acme', 'ann', {}, preconditionOf({ 'if-match': header })),
      ).rejects.toMatchObject({
        problem: { status: 412, extra: { currentVersion: null } },
      });
    expect(store.rows.size).toBe(0);
  });

  it('accepts any version for If-Match: *, even after a conflict, but not a deleted session', async () => {
    await one.editor.patch('acme', 'ann', { context: { a: 1 } });
    await other.editor.patch('acme', 'ann', { context: { b: 2 } });
    const any = preconditionOf({ 'if-match': '*' });
    expect(await one.editor.patch('acme', 'ann', { context: { c: 3 } }, any)).toMatchObject({ version: 3 });
    await other.sessions.delete('acme', 'ann');
    await expect(one.editor.patch('acme', 'ann', {}, any)).rejects.toMatchObject(
      problem(412, 'version_mismatch'),
    );
  });

  it('finds a goal that another process added', async () => {
    await one.editor.patch('acme', 'ann', {});
    const { goal } = await other.editor.addGoal('acme', 'ann', { type: 'book', slots: { a: 1 } });
    const changed = await one.editor.changeGoal('acme', 'ann', goal.id, {
      status: 'completed',
      slots: { a: null, b: 2 },
    });
    expect(changed.goal).toEqual({ id: goal.id, type: 'book', status: 'completed', slots: { b: 2 } });
    expect(changed.state.version).toBe(3);
  });

  it('returns 404 for an unknown goal, and creates no session', async () => {
    await expect(one.editor.changeGoal('acme', 'ann', 'none', {})).rejects.toMatchObject(
      problem(404, 'goal_not_found'),
    );
    expect(store.rows.size).toBe(0);
  });

  it('rejects because of the stored state only, not because of an old copy in memory', async () => {
    const full = 'x'.repeat(250 * 1024);
    await one.editor.patch('acme', 'ann', { context: { full } });
    await other.editor.patch('acme', 'ann', { context: { full: null } });
    const state = await one.editor.patch('acme', 'ann', { context: { more: full } });
    expect(Object.keys(state.context)).toEqual(['more']);
    await expect(one.editor.patch('acme', 'ann', { context: { again: full } })).rejects.toMatchObject(
      problem(413, 'session_too_large'),
    );
  });

  it('keeps a finished goal with its status', async () => {
    const { goal } = await one.editor.addGoal('acme', 'ann', { type: 'book', slots: {} });
    await one.editor.changeGoal('acme', 'ann', goal.id, { status: 'cancelled' });
    expect((await one.sessions.read('acme', 'ann')).activeGoals).toEqual([{ ...goal, status: 'cancelled' }]);
  });
});
