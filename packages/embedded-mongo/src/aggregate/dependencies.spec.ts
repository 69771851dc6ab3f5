import { encode, int, type Doc } from '../values/bson.js';
import { fieldsReadBy, readerFor } from './dependencies.js';

it.each<[Doc, string[] | undefined]>([
  [{ $group: { _id: '$a.b', n: { $sum: '$c' } } }, ['a', 'c']],
  [{ $group: { _id: null, n: { $sum: 1 } } }, []],
  [{ $group: { _id: '$a', all: { $push: '$$ROOT' } } }, undefined],
  [{ $group: { _id: '$$CURRENT.a' } }, undefined],
  [{ $group: { _id: '$a', t: { $top: { sortBy: { b: 1 }, output: '$c' } } } }, undefined],
  [{ $group: { _id: { $getField: 'a' } } }, undefined],
  [{ $sortByCount: '$a' }, ['a']],
  [{ $count: 'n' }, []],
  [{ $project: { a: 1 } }, undefined],
])('%j reads %j', (stage, expected) => {
  const found = fieldsReadBy(stage);
  expect(found && [...found]).toEqual(expected);
});

it('decodes only the fields that are read', () => {
  const bytes = encode({ _id: int(1), a: 'x', b: 'y' });
  expect({ ...readerFor({ $group: { _id: '$b' } })(bytes) }).toEqual({ b: 'y' });
  expect(Object.keys(readerFor({ $unwind: '$b' })(bytes))).toEqual(['_id', 'a', 'b']);
});
