import { checkStored, type StoredAfterCrash } from './store-crash-check.js';
import type { StoreLedger } from './store-crash-load.js';

interface Changeable {
  orders: Map<string, number[]>;
  lines: Map<string, number>;
  totals: Map<string, number>;
  inserts: Map<string, number[]>;
  counters: Map<string, number>;
}

describe('checkStored', () => {
  let ledger: StoreLedger;
  let stored: StoredAfterCrash & Changeable;

  beforeEach(() => {
    ledger = {
      orderWriters: [
        {
          writer: 'o',
          orders: [
            { seq: 1, outcome: 'committed' },
            { seq: 2, outcome: 'aborted' },
            { seq: 3, outcome: 'unknown' },
          ],
        },
      ],
      inserters: [{ writer: 'i', acked: 2, sent: 3 }],
      counters: [{ writer: 'c', acked: 5, sent: 6 }],
      refused: new Map(),
    };
    stored = {
      orders: new Map([['o', [1]]]),
      lines: new Map([['o-1', 3]]),
      totals: new Map([['o', 1]]),
      inserts: new Map([['i', [1, 2]]]),
      counters: new Map([['c', 5]]),
    };
  });

  it('reports no problem when everything acknowledged is stored, with or without the unacknowledged writes', () => {
    expect(checkStored(ledger, stored)).toEqual([]);
    stored.orders.set('o', [1, 3]);
    stored.lines.set('o-3', 3);
    stored.totals.set('o', 2);
    stored.inserts.set('i', [1, 2, 3]);
    stored.counters.set('c', 6);
    expect(checkStored(ledger, stored)).toEqual([]);
  });

  it.each<[string, string, () => void]>([
    [
      'lost',
      'a committed order that is not stored',
      () => {
        stored.orders.clear();
        stored.lines.clear();
        stored.totals.clear();
      },
    ],
    ['torn', 'an order without its lines', () => stored.lines.clear()],
    ['torn', 'lines without their order', () => stored.lines.set('o-3', 3)],
    ['torn', 'a line too few', () => stored.lines.set('o-1', 2)],
    ['torn', 'a total that differs from the number of orders', () => stored.totals.set('o', 2)],
    [
      'refused',
      'an order that was aborted',
      () => {
        stored.orders.set('o', [1, 2]);
        stored.lines.set('o-2', 3);
        stored.totals.set('o', 2);
      },
    ],
    ['lost', 'an insert that is not stored', () => stored.inserts.set('i', [1, 3])],
    ['refused', 'an insert that no client sent', () => stored.inserts.set('i', [1, 2, 3, 4])],
    ['lost', 'an increment that is not stored', () => stored.counters.set('c', 4)],
    ['lost', 'an increment that was applied twice', () => stored.counters.set('c', 7)],
  ])('reports as %s: %s', (kind, _what, damage) => {
    damage();
    expect(checkStored(ledger, stored).map((problem) => problem.kind)).toEqual([kind]);
  });
});
