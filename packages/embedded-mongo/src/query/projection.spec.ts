import type { Doc } from '../values/bson.js';
import { compileProjection } from './projection.js';

const doc: Doc = {
  _id: 1,
  a: 1,
  b: { c: 2, d: 3 },
  list: [{ x: 1, y: 2 }, { x: 3 }, 5, [{ x: 6, y: 7 }]],
  n: [1, 2, 3, 4],
};

describe('compileProjection', () => {
  it.each<[Doc, Doc]>([
    [{}, doc],
    [{ a: 1 }, { _id: 1, a: 1 }],
    [{ a: true, _id: 0 }, { a: 1 }],
    [{ _id: 1 }, { _id: 1 }],
    [{ _id: 0 }, { a: 1, b: { c: 2, d: 3 }, list: doc['list'], n: doc['n'] }],
    [
      { a: 0, list: 0, n: 0 },
      { _id: 1, b: { c: 2, d: 3 } },
    ],
    [{ 'b.c': 1 }, { _id: 1, b: { c: 2 } }],
    [{ b: { c: 1 } }, { _id: 1, b: { c: 2 } }],
    [
      { 'b.c': 0, list: 0, n: 0 },
      { _id: 1, a: 1, b: { d: 3 } },
    ],
    [{ 'a.z': 1, _id: 0 }, {}],
    [{ 'list.x': 1, _id: 0 }, { list: [{ x: 1 }, { x: 3 }, [{ x: 6 }]] }],
    [{ 'list.x': 0, _id: 0, a: 0, b: 0, n: 0 }, { list: [{ y: 2 }, {}, 5, [{ y: 7 }]] }],
    [
      { n: { $slice: 2 }, _id: 0, list: 0, b: 0 },
      { a: 1, n: [1, 2] },
    ],
    [
      { n: { $slice: -1 }, a: 1 },
      { _id: 1, a: 1, n: [4] },
    ],
    [
      { n: { $slice: [1, 2] }, a: 1 },
      { _id: 1, a: 1, n: [2, 3] },
    ],
    [
      { n: { $slice: [-3, 2] }, a: 1 },
      { _id: 1, a: 1, n: [2, 3] },
    ],
    [{ n: { $elemMatch: { $gt: 2 } } }, { _id: 1, n: [3] }],
    [{ list: { $elemMatch: { x: 3 } }, _id: 0 }, { list: [{ x: 3 }] }],
    [{ list: { $elemMatch: { x: 9 } } }, { _id: 1 }],
    [
      { a: 1, sum: { $add: ['$a', '$b.c'] } },
      { _id: 1, a: 1, sum: { value: 3 } },
    ],
    [{ _id: 0, copy: '$b.d' }, { copy: 3 }],
    [{ _id: 0, 'b.c': 1, 'b.e': '$a' }, { b: { c: 2, e: 1 } }],
    [{ _id: 0, text: { $literal: '$a' } }, { text: '$a' }],
    [{ _id: 0, gone: '$nothing', a: 1 }, { a: 1 }],
  ])('%j', (spec, expected) => {
    expect(compileProjection(spec).apply(doc)).toEqual(expected);
  });

  it('keeps the order of the document, not of the projection', () => {
    expect(Object.keys(compileProjection({ n: 1, a: 1 }).apply(doc))).toEqual(['_id', 'a', 'n']);
  });

  it('returns the element that the filter matched', () => {
    const projection = compileProjection({ 'n.$': 1 });
    expect(projection.needsPosition).toBe(true);
    expect(projection.apply(doc, 2)).toEqual({ _id: 1, n: [3] });
    expect(() => projection.apply(doc)).toThrow(expect.objectContaining({ code: 51246 }));
  });

  it('reports the fields that it covers', () => {
    expect(compileProjection({ a: 1, 'b.c': 1, _id: 0 }).coveredFields).toEqual(['a', 'b.c']);
    expect(compileProjection({ a: 1 }).coveredFields).toEqual(['a', '_id']);
    expect(compileProjection({ a: 0 }).coveredFields).toBeUndefined();
    expect(compileProjection({ a: '$b' }).coveredFields).toBeUndefined();
    expect(compileProjection({}).isNoop).toBe(true);
  });

  it.each<[Doc, number]>([
    [{ a: 1, b: 0 }, 31254],
    [{ a: 0, b: 1 }, 31253],
    [{ a: 0, b: '$c' }, 31310],
    [{ a: 0, b: { $add: [1, 2] } }, 31252],
    [{ a: 1, 'a.b': 1 }, 31249],
    [{ 'a.b': 1, a: 1 }, 31250],
    [{ a: {} }, 51270],
    [{ 'a.$': 1, 'b.$': 1 }, 31276],
    [{ 'a.$': 1, b: { $elemMatch: { x: 1 } } }, 31255],
    [{ b: { $elemMatch: { x: 1 } }, 'a.$': 1 }, 31256],
    [{ 'a.$': 0 }, 31395],
    [{ 'a.b': { $elemMatch: { x: 1 } } }, 31275],
    [{ a: { $elemMatch: 1 } }, 31274],
    [{ a: { $slice: [1, 0] } }, 28729],
    [{ a: { $foo: 1 } }, 168],
    [{ $a: 1 }, 16410],
  ])('refuses %j with code %d', (spec, code) => {
    expect(() => compileProjection(spec)).toThrow(expect.objectContaining({ code }));
  });
});
