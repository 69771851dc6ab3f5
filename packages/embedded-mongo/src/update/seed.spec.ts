import { BSONRegExp } from 'bson';
import type { Doc } from '../values/bson.js';
import { seedFromFilter } from './seed.js';

describe('seedFromFilter', () => {
  it.each<[Doc, Doc]>([
    [{}, {}],
    [
      { a: 1, b: { $eq: 2 } },
      { a: 1, b: 2 },
    ],
    [
      { a: 1, _id: 5 },
      { _id: 5, a: 1 },
    ],
    [{ a: { $gt: 1 }, b: { $ne: 2 }, c: new BSONRegExp('x') }, {}],
    [{ $and: [{ a: 1 }, { $and: [{ b: 2 }] }] }, { a: 1, b: 2 }],
    [{ $or: [{ a: 1 }] }, { a: 1 }],
    [{ $or: [{ a: 1 }, { b: 2 }] }, {}],
    [{ 'a.b': 1, 'a.c': 2 }, { a: { b: 1, c: 2 } }],
    [{ a: { $in: [1] } }, { a: 1 }],
    [{ a: { $in: [1, 2] } }, {}],
    [{ a: { $all: [1] } }, { a: 1 }],
    [{ a: { x: 1 } }, { a: { x: 1 } }],
    [{ a: { $eq: 1, $gt: 0 } }, { a: 1 }],
    [{ a: null }, { a: null }],
    [{ $expr: { $eq: ['$a', 1] } }, {}],
  ])('of %j is %j', (filter, seed) => {
    expect(seedFromFilter(filter)).toEqual(seed);
    expect(Object.keys(seedFromFilter(filter))).toEqual(Object.keys(seed));
  });

  it.each<[Doc, string]>([
    [{ a: 1, $and: [{ a: 2 }] }, 'a'],
    [{ a: 1, 'a.b': 2 }, 'a'],
    [{ 'a.b': 2, a: { c: 1 } }, 'a'],
    [{ a: { b: 1 }, 'a.c': 2 }, 'a'],
  ])('refuses %j', (filter, path) => {
    expect(() => seedFromFilter(filter)).toThrow(
      expect.objectContaining({
        code: 54,
        message: `cannot infer query fields to set, path '${path}' is matched twice`,
      }),
    );
  });
});
