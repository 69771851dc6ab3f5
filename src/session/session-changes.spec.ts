import { MAX_OBJECT_VALUES } from '../http/index.js';
import { freshState, nextState, withoutOldFinished } from './session-changes.js';
import { type Goal, type GoalStatus, MAX_STATE_BYTES, type SessionChanges } from './session.types.js';

const begun = new Date('2026-11-21T12:00:00Z');
const later = new Date('2026-11-21T13:00:00Z');
const DAY = 24 * 3_600_000;
const goal = (id: string, status: GoalStatus = 'active'): Goal => ({ id, type: 'book', status, slots: {} });
const goals = (count: number, prefix: string, status: GoalStatus): Goal[] =>
  Array.from({ length: count }, (_, i) => goal(`${prefix}${i}`, status));
const idsOf = (list: readonly Goal[]): string[] => list.map(({ id }) => id);

describe('nextState', () => {
  const fresh = freshState('acme', 'ann', begun, DAY);

  it('creates the first version of a new state', () => {
    const next = nextState(fresh, { context: { a: 1 } }, later, DAY);
    expect(next).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/) as unknown,
      tenantId: 'acme',
      participantId: 'ann',
      version: 1,
      activeGoals: [],
      context: { a: 1 },
      conversationId: null,
      createdAt: later,
      updatedAt: later,
      expiresAt: new Date(later.getTime() + DAY),
    });
    expect(fresh.version).toBe(0);
  });

  it('keeps unchanged fields and the time of creation', () => {
    const first = nextState(
      fresh,
      { context: { a: 1 }, activeGoals: [goal('g')], conversationId: 'c' },
      begun,
      DAY,
    );
    const second = nextState(first, {}, later, DAY);
    expect(second).toMatchObject({
      id: first.id,
      version: 2,
      context: { a: 1 },
      activeGoals: [goal('g')],
      conversationId: 'c',
      createdAt: begun,
      updatedAt: later,
    });
    expect(nextState(second, { conversationId: null }, later, DAY).conversationId).toBeNull();
  });

  it('freezes a copy, so later changes by the caller do not affect the state', () => {
    const context = { list: [1, { a: 2 }] as unknown[] };
    const next = nextState(fresh, { context }, later, DAY);
    context.list.push(3);
    expect(next.context).toEqual({ list: [1, { a: 2 }] });
    expect(() => (next.context['list'] as unknown[]).push(4)).toThrow(TypeError);
    expect(() => Object.assign(next, { version: 9 })).toThrow(TypeError);
  });

  it('holds the JSON form of the values, like a read from the database', () => {
    const context = { when: begun, none: undefined, ['__proto__']: { admin: true }, nested: { ok: null } };
    expect(nextState(fresh, { context }, later, DAY).context).toEqual({
      when: begun.toISOString(),
      nested: { ok: null },
    });
  });

  it('accepts exactly MAX_STATE_BYTES of JSON and reports the limit for more', () => {
    const frame = Buffer.byteLength(JSON.stringify({ activeGoals: [], context: { a: '' } }));
    const fill = (bytes: number): { context: { a: string } } => ({
      context: { a: 'x'.repeat(bytes - frame) },
    });
    expect(nextState(fresh, fill(MAX_STATE_BYTES), later, DAY).version).toBe(1);
    expect(() => nextState(fresh, fill(MAX_STATE_BYTES + 1), later, DAY)).toThrow(
      /262144 bytes of JSON; this would be 262145/,
    );
  });

  it('accepts exactly MAX_OBJECT_VALUES values and keys and reports the limit for more', () => {
    // The three keys, the two objects, the goals and the list are counted too.
    const list = (length: number): { context: object } => ({ context: { list: Array(length).fill(0) } });
    const most = list(MAX_OBJECT_VALUES - 7);
    expect(nextState(fresh, most as SessionChanges, later, DAY).version).toBe(1);
    expect(() => nextState(fresh, list(MAX_OBJECT_VALUES - 6) as SessionChanges, later, DAY)).toThrow(
      `at most ${MAX_OBJECT_VALUES} values and keys; this would be ${MAX_OBJECT_VALUES + 1}`,
    );
  });

  it('accepts 100 goals and no more', () => {
    expect(nextState(fresh, { activeGoals: goals(100, 'g', 'active') }, later, DAY).activeGoals).toHaveLength(
      100,
    );
    expect(() => nextState(fresh, { activeGoals: goals(101, 'g', 'active') }, later, DAY)).toThrow(
      /100 goals/,
    );
  });

  it('counts goals after dropping the oldest finished ones', () => {
    const activeGoals = [...goals(60, 'old', 'completed'), ...goals(80, 'g', 'active')];
    expect(nextState(fresh, { activeGoals }, later, DAY).activeGoals).toHaveLength(100);
  });
});

describe('withoutOldFinished', () => {
  it('keeps 20 finished goals and all active ones', () => {
    const list = [...goals(10, 'c', 'completed'), ...goals(5, 'a', 'active'), ...goals(10, 'x', 'cancelled')];
    expect(withoutOldFinished(list, [])).toBe(list);
  });

  it('drops the oldest finished ones beyond 20, in their order', () => {
    const list = [goal('a0'), ...goals(23, 'c', 'completed'), goal('a1')];
    expect(idsOf(withoutOldFinished(list, list))).toEqual(['a0', ...idsOf(list.slice(4, 24)), 'a1']);
  });

  it('drops previously finished goals rather than an older one finished by this change', () => {
    const before = [goal('first'), ...goals(20, 'c', 'completed')];
    const list = [goal('first', 'completed'), ...before.slice(1)];
    const kept = idsOf(withoutOldFinished(list, before));
    expect(kept).toHaveLength(20);
    expect(kept[0]).toBe('first');
    expect(kept).not.toContain('c0');
  });
});
