import { ServerError } from './errors.js';
import { fieldKey } from './names.js';
import { getPath, indexKeyValues, MISSING, splitPath, visitPath } from './path.js';
import type { Doc, Value } from './types.js';

const visited = (doc: Doc, path: string, expandLeaf = true): [unknown, number][] => {
  const found: [unknown, number][] = [];
  visitPath(doc, splitPath(path), expandLeaf, (value, index) => {
    found.push([value === MISSING ? 'missing' : value, index]);
    return false;
  });
  return found;
};

describe('visitPath', () => {
  it.each<[Doc, string, [unknown, number][]]>([
    [{ a: 1 }, 'a', [[1, -1]]],
    [{}, 'a', [['missing', -1]]],
    [{ a: 1 }, 'a.b', [['missing', -1]]],
    [
      { a: [1, 2] },
      'a',
      [
        [1, 0],
        [2, 1],
        [[1, 2], -1],
      ],
    ],
    [{ a: [] }, 'a', [[[], -1]]],
    [{ a: [] }, 'a.b', []],
    [
      { a: [1, { b: 2 }, {}] },
      'a.b',
      [
        [2, 1],
        ['missing', 2],
      ],
    ],
    [{ a: [5, [2, 4]] }, 'a.1', [[[2, 4], -1]]],
    [
      { a: [5, { [fieldKey('1')]: 4 }] },
      'a.1',
      [
        [4, 1],
        [{ [fieldKey('1')]: 4 }, -1],
      ],
    ],
    [
      { a: [{ b: [1, 2] }] },
      'a.b',
      [
        [1, 0],
        [2, 0],
        [[1, 2], 0],
      ],
    ],
    [
      { a: [{ b: 1 }, { b: 2 }] },
      'a.1.b',
      [
        ['missing', 0],
        ['missing', 1],
        [2, -1],
      ],
    ],
    [{ a: [[{ b: 1 }]] }, 'a.b', []],
    [{ a: [[{ b: 1 }]] }, 'a.0.b', [[1, 0]]],
  ])('of %j by %s', (doc, path, expected) => {
    const found = visited(doc, path);
    expect(found).toEqual(expected);
  });

  it('does not expand a final array unless requested', () => {
    expect(visited({ a: [1, 2] }, 'a', false)).toEqual([[[1, 2], -1]]);
  });

  it('does not find inherited properties', () => {
    expect(visited({}, 'toString')).toEqual([['missing', -1]]);
    expect(getPath({ a: [{ b: 1 }, {}, { b: [2] }] }, 'a.b')).toEqual([1, [2]]);
  });
});

describe('indexKeyValues', () => {
  it.each<[Doc, string[], Value[][], boolean]>([
    [{ a: 1, b: 2 }, ['a', 'b'], [[1, 2]], false],
    [{ a: 1 }, ['a', 'b'], [[1, null]], false],
    [{}, ['a'], [[null]], false],
    [{ a: { b: 1 } }, ['a.b'], [[1]], false],
    [{ a: [1, 2] }, ['a'], [[1], [2]], true],
    [{ a: [] }, ['a'], [[undefined]], true],
    [{ a: [] }, ['a.b'], [[null]], true],
    [
      { a: [1, 2], b: 3 },
      ['b', 'a'],
      [
        [3, 1],
        [3, 2],
      ],
      true,
    ],
    [
      { a: [{ b: 1, c: 2 }, { b: 3 }] },
      ['a.b', 'a.c'],
      [
        [1, 2],
        [3, null],
      ],
      true,
    ],
    [{ a: [{ b: [1, 2] }] }, ['a.b'], [[1], [2]], true],
    [{ a: [[1, 2]] }, ['a'], [[[1, 2]]], true],
    [{ a: [7, 8] }, ['a.1'], [[8]], false],
    [{ a: [{ b: 1 }, 5] }, ['a.b'], [[1], [null]], true],
    [
      { a: [1, 2] },
      ['a', 'a.b'],
      [
        [1, null],
        [2, null],
      ],
      true,
    ],
  ])('of %j on %j', (doc, fields, keys, multikey) => {
    const found = indexKeyValues(doc, fields);
    expect(found.keys).toEqual(keys);
    expect(found.multikey).toBe(multikey);
  });

  it('omits keys without any field of a sparse index', () => {
    expect(indexKeyValues({ x: 1 }, ['a', 'b'], { sparse: true })).toEqual({
      keys: [],
      multikey: false,
      allMissing: true,
    });
    expect(indexKeyValues({ a: null }, ['a'], { sparse: true }).keys).toEqual([[null]]);
    expect(indexKeyValues({ b: 1 }, ['a', 'b'], { sparse: true }).keys).toEqual([[null, 1]]);
  });

  it('rejects two parallel arrays', () => {
    const work = (): unknown => indexKeyValues({ a: [1], b: [2] }, ['a', 'b']);
    expect(work).toThrow(ServerError);
    expect(work).toThrow('cannot index parallel arrays [b] [a]');
  });
});
