import { SlowOperations, type SlowRun } from './slow-operations.js';

const MINUTE = 60_000;

const find = (collection: string, durationMs: number, more: Partial<SlowRun> = {}): SlowRun => ({
  kind: 'database',
  what: `find ${collection} { tenantId: ? }`,
  durationMs,
  ...more,
});

describe('SlowOperations', () => {
  beforeEach(() => jest.useFakeTimers({ now: 0 }));
  afterEach(() => jest.useRealTimers());

  it('groups by shape, with the count, the maximum and the latest run', () => {
    const slow = new SlowOperations();
    slow.note(find('messages', 300, { tenantId: 'acme', plan: 'COLLSCAN' }));
    jest.advanceTimersByTime(MINUTE);
    slow.note(find('messages', 200, { tenantId: 'globex' }));
    expect(slow.worst()).toEqual([
      {
        kind: 'database',
        what: 'find messages { tenantId: ? }',
        at: new Date(MINUTE).toISOString(),
        count: 2,
        durationMs: 200,
        maxMs: 300,
        totalMs: 500,
        tenantId: 'globex',
      },
    ]);
  });

  it('distinguishes requests and commands with the same text', () => {
    const slow = new SlowOperations();
    slow.note({ kind: 'database', what: 'same', durationMs: 2 });
    slow.note({ kind: 'request', what: 'same', durationMs: 1 });
    expect(slow.worst().map(({ kind, count }) => [kind, count])).toEqual([
      ['database', 1],
      ['request', 1],
    ]);
  });

  it('shows the ten shapes with the highest total time', () => {
    const slow = new SlowOperations();
    for (let number = 0; number < 30; number++) slow.note(find(`c${number}`, 100 + number));
    for (let run = 0; run < 3; run++) slow.note(find('often', 90));
    const shown = slow.worst().map(({ what }) => what.split(' ')[1]);
    expect(shown).toEqual(['often', ...Array.from({ length: 9 }, (_, index) => `c${29 - index}`)]);
  });

  it('forgets a shape, including its count, if it was not slow for 15 minutes', () => {
    const slow = new SlowOperations();
    slow.note(find('messages', 300));
    slow.note(find('messages', 300));
    jest.advanceTimersByTime(15 * MINUTE);
    expect(slow.worst()).toEqual([]);
    slow.note(find('messages', 200));
    expect(slow.worst()).toMatchObject([{ count: 1, maxMs: 200, totalMs: 200 }]);
  });

  it('keeps a limited number of shapes', () => {
    const slow = new SlowOperations();
    slow.note(find('first', 1e6));
    for (let number = 0; number < 200; number++) slow.note(find(`c${number}`, 1));
    expect(slow.worst().map(({ what }) => what)).not.toContain('find first { tenantId: ? }');
  });
});
