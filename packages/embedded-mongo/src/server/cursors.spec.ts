import type { OpenCursor } from '../commands/host.js';
import { CursorRegistry } from './cursors.js';

const ns = { db: 'd', coll: 'c' };

function opening(more: Partial<OpenCursor> = {}): Omit<OpenCursor, 'id'> & { closed: () => number } {
  let closed = 0;
  return {
    ns,
    source: {
      next: () => Promise.resolve({ docs: [], done: true }),
      close: () => {
        closed += 1;
      },
    },
    signal: { killed: false },
    lsid: undefined,
    txnNumber: undefined,
    noTimeout: false,
    origin: {},
    op: {},
    timeLeftMs: undefined,
    ...more,
    closed: () => closed,
  };
}

describe('CursorRegistry', () => {
  let now = 0;
  let registry: CursorRegistry;

  beforeEach(() => {
    now = 0;
    registry = new CursorRegistry(() => now, 2);
  });

  it('closes a cursor after ten idle minutes, but not one without a timeout', () => {
    const idle = opening();
    const kept = opening({ noTimeout: true });
    const { id } = registry.add(idle);
    registry.add(kept);
    now = 10 * 60_000 - 1;
    registry.sweep();
    expect(idle.closed()).toBe(0);
    now += 1;
    registry.sweep();
    expect([idle.closed(), kept.closed()]).toEqual([1, 0]);
    expect(registry.timedOutCount).toBe(1);
    expect(() => registry.checkOut(id, ns)).toThrow(expect.objectContaining({ code: 43 }) as Error);
  });

  it('resets the idle time when the cursor is used', () => {
    const cursor = opening();
    const { id } = registry.add(cursor);
    now = 9 * 60_000;
    registry.release(registry.checkOut(id, ns), false);
    now = 15 * 60_000;
    registry.sweep();
    expect(cursor.closed()).toBe(0);
  });

  it('closes a cursor killed during a getMore when the getMore releases it', () => {
    const cursor = opening();
    const opened = registry.add(cursor);
    registry.checkOut(opened.id, ns);
    expect(registry.kill(opened.id, ns)).toBe(true);
    expect(opened.signal.killed).toBe(true);
    expect(cursor.closed()).toBe(0);
    registry.release(opened, false);
    expect(cursor.closed()).toBe(1);
    expect(registry.openCount).toBe(0);
  });

  it('rejects another collection and concurrent use', () => {
    const { id } = registry.add(opening());
    expect(() => registry.checkOut(id, { db: 'd', coll: 'other' })).toThrow(
      'belongs to a different namespace',
    );
    registry.checkOut(id, ns);
    expect(() => registry.checkOut(id, ns)).toThrow('already in use');
  });

  it('rejects and closes cursors above its limit', () => {
    registry.add(opening());
    registry.add(opening());
    const third = opening();
    expect(() => registry.add(third)).toThrow('too many cursors');
    expect(third.closed()).toBe(1);
  });
});
