import { checkHistory } from './check-history.js';
import type { History, HistoryFindings, Outcome, RecordedTransaction, Step } from './history.js';

/**
 * Short notation for steps: `r('x', 1, 2)` read the items 1 and 2 in x, `a('x', 3)` appended 3. Each item
 * adds 1 to the value.
 */
const r = (key: string, ...items: number[]): Step => ({ kind: 'read', key, items, value: items.length });
const a = (key: string, item: number, delta = 1): Step => ({ kind: 'append', key, item, delta });

const made = (steps: Step[], more: Partial<RecordedTransaction> = {}) => ({ steps, ...more });

/**
 * Builds a history of transactions, concurrent unless their times say otherwise, with the lists stored at the
 * end.
 */
const history = (
  final: Record<string, number[]>,
  transactions: (Partial<RecordedTransaction> & { steps: Step[] })[],
  more: Partial<History> = {},
): History => {
  const outcome: Outcome = 'committed';
  const all = transactions.map((transaction, at) => ({
    id: at + 1,
    purpose: 'test',
    outcome,
    begunAt: 0,
    endedAt: 100,
    marked: false,
    ...transaction,
  }));
  return {
    initial: Object.fromEntries(Object.keys(final).map((key) => [key, 0])),
    transactions: all,
    final: {
      keys: Object.fromEntries(
        Object.entries(final).map(([key, items]) => [key, { items, value: items.length }]),
      ),
      marks: all.filter(({ marked, outcome }) => marked && outcome === 'committed').map(({ id }) => id),
    },
    ...more,
  };
};

const kinds = ({ problems }: HistoryFindings): string[] =>
  [...new Set(problems.map(({ kind }) => kind))].sort();

describe('checkHistory', () => {
  it('reports no problem for a history that satisfies snapshot isolation, and counts its transactions', () => {
    const findings = checkHistory(
      history({ x: [1, 2, 4], y: [3] }, [
        made([r('x'), a('x', 1), r('x', 1)], { marked: true }),
        made([r('x', 1), a('x', 2), r('y'), a('y', 3)]),
        made([r('x', 1), r('y'), a('x', 9)], { outcome: 'aborted', marked: true }),
        made([r('y', 3), a('x', 4)], { outcome: 'unknown' }),
        made([a('y', 8)], { outcome: 'unknown' }),
        made([r('x', 1, 2), r('y', 3)]),
      ]),
    );
    expect(findings).toEqual({
      committed: 3,
      aborted: 1,
      unknown: 2,
      unknownStored: 1,
      writeSkews: 0,
      problems: [],
    });
  });

  it('counts write skew, which snapshot isolation allows', () => {
    const skew = history({ x: [1], y: [2] }, [
      made([r('x'), r('y'), a('x', 1)]),
      made([r('x'), r('y'), a('y', 2)]),
    ]);
    expect(checkHistory(skew)).toMatchObject({ writeSkews: 1, problems: [] });
  });

  it.each<[string, string[], History]>([
    ['a committed append that is not stored', ['lost'], history({ x: [] }, [made([a('x', 1)])])],
    [
      'a committed mark that is not stored',
      ['lost'],
      history({ x: [1] }, [made([a('x', 1)], { marked: true })], {
        final: { keys: { x: { items: [1], value: 1 } }, marks: [] },
      }),
    ],
    [
      'an aborted transaction of which a write is stored',
      ['torn'],
      history({ x: [1] }, [made([a('x', 1)], { outcome: 'aborted' })]),
    ],
    [
      'half of a transaction whose outcome is unknown',
      ['torn'],
      history({ x: [1], y: [] }, [made([a('x', 1), a('y', 2)], { outcome: 'unknown' })]),
    ],
    [
      'an append that was applied twice',
      ['duplicated', 'inconsistent order'],
      (() => {
        const twice = history({ x: [1, 1] }, [made([a('x', 1)]), made([r('x', 1, 1, 1)])]);
        return twice;
      })(),
    ],
    [
      'an item that no transaction wrote',
      ['aborted read', 'value'],
      history({ x: [7] }, [made([r('x')], { outcome: 'aborted' })]),
    ],
    [
      'a read of an aborted write',
      ['aborted read'],
      history({ x: [] }, [made([a('x', 1)], { outcome: 'aborted' }), made([r('x', 1)])]),
    ],
    [
      'a read of an intermediate state of a transaction',
      ['cycle', 'intermediate read'],
      history({ x: [1, 2] }, [made([a('x', 1), a('x', 2)]), made([r('x', 1)])]),
    ],
    [
      'versions in an order other than the stored one',
      ['inconsistent order'],
      history({ x: [1, 2] }, [made([a('x', 1)]), made([a('x', 2)]), made([r('x', 2)])]),
    ],
    [
      'a transaction that does not see its own write',
      ['own writes'],
      history({ x: [1] }, [made([a('x', 1), r('x')])]),
    ],
    [
      'a transaction that reads two versions',
      ['cycle', 'own writes'],
      history({ x: [1] }, [made([a('x', 1)]), made([r('x'), r('x', 1)])]),
    ],
    [
      'a lost update of a value',
      ['value'],
      history({ x: [1, 2] }, [made([a('x', 1)]), made([a('x', 2)])], {
        final: { keys: { x: { items: [1, 2], value: 1 } }, marks: [] },
      }),
    ],
    [
      'two transactions that both changed the version that both had read (lost update)',
      ['cycle'],
      history({ x: [1, 2] }, [made([r('x'), a('x', 1)]), made([r('x'), a('x', 2)])]),
    ],
    [
      'interleaved writes (G0)',
      ['cycle'],
      history({ x: [1, 2], y: [4, 3] }, [made([a('x', 1), a('y', 3)]), made([a('x', 2), a('y', 4)])]),
    ],
    [
      'two transactions that each read a write of the other (G1c)',
      ['cycle'],
      history({ x: [1], y: [2] }, [made([a('x', 1), r('y', 2)]), made([a('y', 2), r('x', 1)])]),
    ],
    [
      'an inconsistent snapshot of two keys (G-single)',
      ['cycle'],
      history({ x: [1], y: [2] }, [made([a('x', 1), a('y', 2)]), made([r('x', 1), r('y')])]),
    ],
    [
      'an aborted transaction with an inconsistent snapshot',
      ['cycle'],
      history({ x: [1], y: [2] }, [
        made([a('x', 1), a('y', 2)]),
        made([r('x', 1), r('y')], { outcome: 'aborted' }),
      ]),
    ],
    [
      'two readers that saw two writes in different orders (long fork)',
      ['cycle'],
      history({ x: [1], y: [2] }, [
        made([a('x', 1)]),
        made([a('y', 2)]),
        made([r('x', 1), r('y')]),
        made([r('x'), r('y', 2)]),
      ]),
    ],
    [
      'a read older than an acknowledged write',
      ['cycle'],
      history({ x: [1] }, [made([a('x', 1)], { endedAt: 5 }), made([r('x')], { begunAt: 6 })]),
    ],
    [
      'a sum that is not conserved',
      ['sum'],
      history(
        { x: [1], y: [2] },
        [made([a('x', 1, 1), a('y', 2, 1)]), made([r('x'), r('y')], { purpose: 'audit' })],
        {
          conserved: { prefix: '', sum: 0 },
        },
      ),
    ],
  ])('catches %s', (_what, expected, planted) => {
    expect(kinds(checkHistory(planted))).toEqual(expected);
  });

  it('names the transactions in a cycle', () => {
    const { problems } = checkHistory(
      history({ x: [1], y: [2] }, [made([a('x', 1), a('y', 2)]), made([r('x', 1), r('y')])]),
    );
    expect(problems).toEqual([
      {
        kind: 'cycle',
        text: expect.stringMatching(/T1 -read-> T2 -anti-> T1|T2 -anti-> T1 -read-> T2/) as string,
      },
    ]);
  });
});
