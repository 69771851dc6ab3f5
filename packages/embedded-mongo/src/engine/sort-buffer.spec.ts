import fc from 'fast-check';
import { compileSort } from '../query/sort.js';
import { encode } from '../values/bson.js';
import { SortBuffer } from './sort-buffer.js';
import { StoredDocument } from './stored-document.js';

const document = (n: number, padding = 0) => new StoredDocument(encode({ n, padding: 'x'.repeat(padding) }));

describe('the sort buffer', () => {
  it('returns the first records of a stable sort', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 400 }),
        fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 30 })),
        (numbers, limit) => {
          const buffer = new SortBuffer(compileSort({ n: 1 }), limit);
          numbers.forEach((n, i) => buffer.add(i, document(n)));
          const expected = numbers
            .map((n, i) => [n, i] as const)
            .sort((a, b) => a[0] - b[0] || a[1] - b[1])
            .slice(0, Math.min(limit, numbers.length));
          expect([...buffer.sorted()].map(({ recordId }) => recordId)).toEqual(expected.map(([, i]) => i));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('fails at its memory limit, unless a query limit keeps it small', () => {
    const all = new SortBuffer(compileSort({ n: 1 }), Infinity, 50_000);
    expect(() => {
      for (let i = 0; i < 100; i++) all.add(i, document(i, 1_000));
    }).toThrow(expect.objectContaining({ code: 292 }) as Error);
    const top = new SortBuffer(compileSort({ n: -1 }), 5, 120_000);
    for (let i = 0; i < 1_000; i++) top.add(i, document(i, 1_000));
    expect([...top.sorted()].map(({ recordId }) => recordId)).toEqual([999, 998, 997, 996, 995]);
  });
});
