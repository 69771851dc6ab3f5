import { int, type Doc } from '../values/bson.js';
import { countShape, pushDown } from './pushdown.js';

const one = int(1);

it.each<[string, Doc[], object, number]>([
  [
    'joins matches',
    [{ $match: { a: one } }, { $match: { b: one } }],
    { filter: { $and: [{ a: one }, { b: one }] } },
    0,
  ],
  [
    'takes a match behind a sort',
    [{ $sort: { a: one } }, { $match: { b: one } }],
    { filter: { b: one }, sort: { a: one } },
    0,
  ],
  [
    'leaves a match behind a limit',
    [{ $limit: int(5) }, { $match: { b: one } }],
    { filter: {}, limit: 5 },
    1,
  ],
  [
    'adds up skips and limits',
    [{ $limit: int(10) }, { $skip: int(3) }, { $limit: int(9) }],
    { filter: {}, skip: 3, limit: 7 },
    0,
  ],
  [
    'leaves a second sort',
    [{ $sort: { a: one } }, { $sort: { b: one } }],
    { filter: {}, sort: { a: one } },
    1,
  ],
  [
    'takes a plain projection, and nothing after it',
    [{ $project: { a: one } }, { $match: { b: one } }],
    { filter: {}, projection: { a: one } },
    1,
  ],
  ['leaves a projection that computes', [{ $project: { a: '$b' } }], { filter: {} }, 1],
  [
    'leaves a mixed projection to the stage, which refuses it',
    [{ $project: { a: one, b: int(0) } }],
    { filter: {} },
    1,
  ],
])('%s', (_, pipeline, find, left) => {
  const pushed = pushDown(pipeline);
  expect(pushed.find).toEqual(find);
  expect(pushed.rest).toHaveLength(left);
});

it('detects that a skip past the limit leaves no documents', () => {
  expect(pushDown([{ $limit: int(3) }, { $skip: int(3) }]).empty).toBe(true);
});

it.each<[Doc[], boolean]>([
  [[{ $group: { _id: one, n: { $sum: one } } }], true],
  [[{ $group: { _id: null, n: { $sum: one } } }], true],
  [[{ $count: 'n' }], true],
  [[{ $group: { _id: '$a', n: { $sum: one } } }], false],
  [[{ $group: { _id: one, n: { $sum: int(2) } } }], false],
  [[{ $group: { _id: one, n: { $sum: '$n' } } }], false],
  [[{ $count: 'n' }, { $set: { a: one } }], false],
])('%j is only a count: %s', (rest, expected) => {
  expect(countShape(rest) !== undefined).toBe(expected);
});
