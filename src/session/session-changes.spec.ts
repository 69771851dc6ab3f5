import { freshState, nextState, withoutOldFinished } from './session-changes.js';
import { type Goal, type GoalStatus, MAX_STATE_BYTES } from './session.types.js';

const begun = new Date('2026-11-21T12:00:00Z');
const later = new Date('2026-11-21T13:00:00Z');
const DAY = 24 * 3_600_000;
const goal = (id: string, status: GoalStatus = 'active'): Goal => ({ id, type: 'book', status, slots: {} });
const goals = (count: number, prefix: string, status: GoalStatus): Goal[] =>
  Array.from({ length: count }, (_, i) => goal(`${prefix}${i}`, status));
const idsOf = (list: readonly Goal[]): string[] => list.map(({ id }) => id);

describe('nextState', () => {
  const fresh = freshState('acme', 'ann', begun, DAY);

  it('makes the first version of a fresh state', () => {
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

  it('keeps what no change names, and the time of creation', () => {
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

  it('freezes a copy: what the caller changes afterwards is not in the state', () => {
    const context = { list: [1, { a: 2 }] as unknown[] };
    const next = nextState(fresh, { context }, later, DAY);
    context.list.push(3);
    expect(next.context).toEqual({ list: [1, { a: 2 }] });
    expect(() => (next.context['list'] as unknown[]).push(4)).toThrow(TypeError);
    expect(() => Object.assign(next, { version: 9 })).toThrow(TypeError);
  });

  it('holds what JSON holds, as a read from the database would give it', () => {
    const context = { when: begun, none: undefined, ['__proto__']: { admin: true }, nested: { ok: null } };
    expect(nextState(fresh, { context }, later, DAY).context).toEqual({
      when: begun.toISOString(),
      nested: { ok: null },
    });
  });

  it('accepts exactly MAX_STATE_BYTES of JSON and names the limit beyond', () => {
    const frame = Buffer.byteLength(JSON.stringify({ activeGoals: [], context: { a: '' } }));
    const fill = (bytes: number): { context: { a: string } } => ({
      context: { a: 'x'.repeat(bytes - frame) },
    });
    expect(nextState(fresh, fill(MAX_STATE_BYTES), later, DAY).version).toBe(1);
    expect(() => nextState(fresh, fill(MAX_STATE_BYTES + 1), later, DAY)).toThrow(
      /262144 bytes of JSON; this would be 262145/,
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

  it('counts goals after the oldest finished ones were dropped', () => {
    const activeGoals = [...goals(60, 'old', 'completed'), ...goals(80, 'g', 'active')];
    expect(nextState(fresh, { activeGoals }, later, DAY).activeGoals).toHaveLength(100);
  });
});

describe('withoutOldFinished', () => {
  it('leaves 20 finished goals and all active ones as they are', () => {
    const list = [...goals(10, 'c', 'completed'), ...goals(5, 'a', 'active'), ...goals(10, 'x', 'cancelled')];
    expect(withoutOldFinished(list, [])).toBe(list);
  });

  it('drops the oldest finished ones beyond 20, in their order', () => {
    const list = [goal('a0'), ...goals(23, 'c', 'completed'), goal('a1')];
    expect(idsOf(withoutOldFinished(list, list))).toEqual(['a0', ...idsOf(list.slice(4, 24)), 'a1']);
  });

  it('drops goals that were finished before rather than an older one that is finished now', () => {
    const before = [goal('first'), ...goals(20, 'c', 'completed')];
    const list = [goal('first', 'completed'), ...before.slice(1)];
    const kept = idsOf(withoutOldFinished(list, before));
    expect(kept).toHaveLength(20);
    expect(kept[0]).toBe('first');
    expect(kept).not.toContain('c0');
  });
});
