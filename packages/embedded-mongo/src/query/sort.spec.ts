import fc from 'fast-check';
import { anyValue } from '../../test/arbitrary.js';
import { newDoc } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { compareValues, parseCollation } from '../values/compare.js';
import { compileSort } from './sort.js';

const order = (docs: Doc[], spec: Doc): Doc[] => {
  const sorter = compileSort(spec);
  return [...docs].sort((a, b) => sorter.compare(a, b));
};

describe('compileSort', () => {
  it('orders scalars as BSON does, in both directions', () => {
    fc.assert(
      fc.property(anyValue, anyValue, fc.constantFrom(1, -1), (a, b, direction) => {
        fc.pre(!Array.isArray(a) && !Array.isArray(b));
        const result = compileSort({ x: direction }).compare({ x: a }, { x: b });
        expect(Math.sign(result) + 0).toBe(Math.sign(compareValues(a, b)) * direction + 0);
      }),
    );
  });

  it('sorts arrays by their lowest element in ascending and their highest in descending order', () => {
    const docs: Doc[] = [{ a: [5, 1] }, { a: 3 }, { a: [4, 2] }];
    expect(order(docs, { a: 1 })).toEqual([{ a: [5, 1] }, { a: [4, 2] }, { a: 3 }]);
    expect(order(docs, { a: -1 })).toEqual([{ a: [5, 1] }, { a: [4, 2] }, { a: 3 }]);
  });

  it('puts an empty array before missing and null', () => {
    expect(order([{ a: 1 }, { a: null }, {}, { a: [] }], { a: 1 })).toEqual([
      { a: [] },
      { a: null },
      {},
      { a: 1 },
    ]);
  });

  it('sorts by several fields and by dotted paths', () => {
    const docs: Doc[] = [
      { a: 1, b: { c: 2 } },
      { a: 1, b: { c: 1 } },
      { a: 0, b: { c: 9 } },
    ];
    expect(order(docs, { a: -1, 'b.c': 1 })).toEqual([docs[1], docs[0], docs[2]]);
  });

  it('extracts a sort key with the same order', () => {
    const sort = compileSort({ a: 1, b: -1 });
    const keys = [
      { a: [2, 1], b: 1 },
      { a: 1, b: 2 },
    ].map((doc) => sort.sortKey(doc));
    expect(keys).toEqual([
      [1, 1],
      [1, 2],
    ]);
    expect(sort.compareKeys(keys[0] ?? [], keys[1] ?? [])).toBeGreaterThan(0);
    expect(sort.fields).toEqual([
      { path: 'a', direction: 1 },
      { path: 'b', direction: -1 },
    ]);
  });

  it('uses the collation', () => {
    const sort = compileSort({ a: 1 }, parseCollation({ locale: 'en', strength: 2 }));
    expect(sort.compare({ a: 'b' }, { a: 'B' })).toBe(0);
  });

  const bad = newDoc();
  bad[''] = 1;
  it.each<[Doc, number]>([
    [{ a: 'x' }, 15974],
    [{ a: 2 }, 15975],
    [{ a: 0 }, 15975],
    [bad, 15976],
    [{ 'a.': 1 }, 15998],
    [{ $a: 1 }, 16410],
  ])('refuses %j with code %d', (spec, code) => {
    expect(() => compileSort(spec)).toThrow(expect.objectContaining({ code }));
  });

  it('rejects sorting by parallel arrays', () => {
    expect(() => compileSort({ a: 1, b: 1 }).sortKey({ a: [1], b: [2] })).toThrow(
      'cannot sort with keys that are parallel arrays',
    );
  });
});
