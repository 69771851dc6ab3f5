import { Decimal128, Double, Int32, Long, Timestamp } from 'bson';
import fc from 'fast-check';
import { anyDoc, numeric } from '../../test/arbitrary.js';
import { decode, encode, newDoc, toNumber, typeName } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { compareNumbers, identical, parseCollation } from '../values/compare.js';
import { add } from '../values/numbers.js';
import { compileUpdate } from './update.js';
import type { UpdateContext, UpdateOptions } from './update.js';

const options: UpdateOptions = {
  now: () => new Date(1000),
  timestamp: () => new Timestamp({ t: 7, i: 1 }),
};

const run = (
  update: Doc | Doc[],
  doc: Doc,
  ctx: UpdateContext = {},
  more: Partial<UpdateOptions> = {},
): Doc => compileUpdate(update, { ...options, ...more }).apply(doc, ctx).doc;

const int = (n: number): Int32 => new Int32(n);
const big = (text: string): Long => Long.fromString(text);

describe('operators', () => {
  it.each<[string, Doc, Doc, Doc]>([
    ['$set', { $set: { a: 2 } }, { a: 1, b: 3 }, { a: 2, b: 3 }],
    ['$set creates the path', { $set: { 'a.b.c': 1 } }, {}, { a: { b: { c: 1 } } }],
    ['$set in an array', { $set: { 'a.1': 9 } }, { a: [1, 2] }, { a: [1, 9] }],
    ['$set past the end of an array', { $set: { 'a.3': 9 } }, { a: [1] }, { a: [1, null, null, 9] }],
    ['$set deep in an array', { $set: { 'a.0.b': 1 } }, { a: [{ c: 1 }] }, { a: [{ c: 1, b: 1 }] }],
    ['$set a numeric field of a new document', { $set: { 'a.0': 1 } }, {}, { a: { '0': 1 } }],
    ['$unset', { $unset: { a: '', 'b.c': 1 } }, { a: 1, b: { c: 1, d: 2 } }, { b: { d: 2 } }],
    ['$unset in an array', { $unset: { 'a.0': 1 } }, { a: [1, 2] }, { a: [null, 2] }],
    ['$unset of a missing path', { $unset: { 'x.y': 1 } }, { a: 1 }, { a: 1 }],
    ['$unset below a scalar', { $unset: { 'a.b': 1 } }, { a: 1 }, { a: 1 }],
    ['$setOnInsert on an update', { $setOnInsert: { 'x.y': 1 } }, { a: 1 }, { a: 1 }],
    ['$inc of a missing field', { $inc: { 'n.m': int(2) } }, {}, { n: { m: int(2) } }],
    ['$inc int', { $inc: { n: int(2) } }, { n: int(1) }, { n: int(3) }],
    ['$inc int overflows to long', { $inc: { n: int(1) } }, { n: int(2147483647) }, { n: big('2147483648') }],
    ['$inc long stays long', { $inc: { n: int(1) } }, { n: Long.fromNumber(1) }, { n: Long.fromNumber(2) }],
    [
      '$inc long beyond 2^53',
      { $inc: { n: int(1) } },
      { n: big('9007199254740993') },
      { n: big('9007199254740994') },
    ],
    ['$inc double', { $inc: { n: int(1) } }, { n: new Double(1) }, { n: new Double(2) }],
    ['$inc int by double', { $inc: { n: new Double(0.5) } }, { n: int(1) }, { n: new Double(1.5) }],
    ['$inc decimal', { $inc: { n: int(1) } }, { n: new Decimal128('0.10') }, { n: new Decimal128('1.10') }],
    ['$mul int', { $mul: { n: int(3) } }, { n: int(2) }, { n: int(6) }],
    ['$mul int overflows to long', { $mul: { n: int(2) } }, { n: int(2000000000) }, { n: big('4000000000') }],
    ['$mul of a missing field', { $mul: { n: new Double(3) } }, {}, { n: new Double(0) }],
    ['$mul decimal', { $mul: { n: new Decimal128('1.5') } }, { n: int(2) }, { n: new Decimal128('3.0') }],
    ['$min', { $min: { n: 1, m: 5, k: 2 } }, { n: 3, m: 3 }, { n: 1, m: 3, k: 2 }],
    ['$max across types', { $max: { n: 'x' } }, { n: 3 }, { n: 'x' }],
    [
      '$max keeps an equal number of another type',
      { $max: { n: new Double(3) } },
      { n: int(3) },
      { n: int(3) },
    ],
    ['$rename', { $rename: { a: 'b' } }, { a: 1, c: 2 }, { c: 2, b: 1 }],
    ['$rename into a document', { $rename: { a: 'x.y' } }, { a: 1 }, { x: { y: 1 } }],
    ['$rename over a field', { $rename: { a: 'b' } }, { a: 1, b: 2 }, { b: 1 }],
    ['$rename of a missing field', { $rename: { z: 'b' } }, { b: 2 }, { b: 2 }],
    [
      '$currentDate',
      { $currentDate: { a: true, b: { $type: 'timestamp' }, c: { $type: 'date' } } },
      {},
      { a: new Date(1000), b: new Timestamp({ t: 7, i: 1 }), c: new Date(1000) },
    ],
    ['$bit', { $bit: { n: { and: int(6), or: int(8) } } }, { n: int(7) }, { n: int(14) }],
    ['$bit of a missing field', { $bit: { n: { or: Long.fromNumber(1) } } }, {}, { n: Long.fromNumber(1) }],
    ['$bit xor long', { $bit: { n: { xor: int(1) } } }, { n: Long.fromNumber(3) }, { n: Long.fromNumber(2) }],
    ['$push', { $push: { a: 2 } }, { a: [1] }, { a: [1, 2] }],
    ['$push creates', { $push: { 'x.a': [1] } }, {}, { x: { a: [[1]] } }],
    ['$push $each', { $push: { a: { $each: [2, 3] } } }, { a: [1] }, { a: [1, 2, 3] }],
    ['$push $position', { $push: { a: { $each: [2], $position: 0 } } }, { a: [1] }, { a: [2, 1] }],
    [
      '$push negative $position',
      { $push: { a: { $each: [9], $position: -1 } } },
      { a: [1, 2] },
      { a: [1, 9, 2] },
    ],
    ['$push $slice', { $push: { a: { $each: [3], $slice: -2 } } }, { a: [1, 2] }, { a: [2, 3] }],
    ['$push $slice from the start', { $push: { a: { $each: [3], $slice: 1 } } }, { a: [1, 2] }, { a: [1] }],
    ['$push $sort', { $push: { a: { $each: [2], $sort: -1 } } }, { a: [1, 3] }, { a: [3, 2, 1] }],
    [
      '$push $sort by fields',
      { $push: { a: { $each: [{ s: 1 }], $sort: { s: 1 }, $slice: 2 } } },
      { a: [{ s: 3 }, { s: 2 }] },
      { a: [{ s: 1 }, { s: 2 }] },
    ],
    ['$addToSet', { $addToSet: { a: new Double(1) } }, { a: [int(1)] }, { a: [int(1)] }],
    ['$addToSet new', { $addToSet: { a: { x: 1 } } }, { a: [{ x: 2 }] }, { a: [{ x: 2 }, { x: 1 }] }],
    ['$addToSet $each', { $addToSet: { a: { $each: [1, 2, 2] } } }, { a: [1] }, { a: [1, 2] }],
    ['$pop last', { $pop: { a: 1 } }, { a: [1, 2] }, { a: [1] }],
    ['$pop first', { $pop: { a: -1 } }, { a: [1, 2] }, { a: [2] }],
    ['$pop of a missing field', { $pop: { a: 1 } }, {}, {}],
    ['$pull value', { $pull: { a: 1 } }, { a: [1, 2, new Double(1)] }, { a: [2] }],
    ['$pull condition', { $pull: { a: { $gte: 2 } } }, { a: [1, 2, 3] }, { a: [1] }],
    [
      '$pull document condition',
      { $pull: { a: { x: 1, y: { $gt: 1 } } } },
      { a: [{ x: 1, y: 2 }, { x: 1, y: 1 }, 5] },
      { a: [{ x: 1, y: 1 }, 5] },
    ],
    [
      '$pull or',
      { $pull: { a: { $or: [{ x: 1 }, { x: 2 }] } } },
      { a: [{ x: 1 }, { x: 3 }] },
      { a: [{ x: 3 }] },
    ],
    ['$pull $in', { $pull: { a: { $in: [1, 'x'] } } }, { a: [1, 'x', 2] }, { a: [2] }],
    [
      '$pull elemMatch',
      { $pull: { a: { b: { $elemMatch: { x: 1 } } } } },
      { a: [{ b: [{ x: 1 }] }, { b: [] }] },
      { a: [{ b: [] }] },
    ],
    ['$pullAll', { $pullAll: { a: [1, { x: 1 }] } }, { a: [1, 2, { x: 1 }, 1] }, { a: [2] }],
    [
      '$[]',
      { $inc: { 'a.$[].n': int(1) } },
      { a: [{ n: int(1) }, { n: int(2) }] },
      { a: [{ n: int(2) }, { n: int(3) }] },
    ],
    ['$[] on values', { $mul: { 'a.$[]': int(2) } }, { a: [int(1), int(2)] }, { a: [int(2), int(4)] }],
  ])('%s', (_name, update, before, after) => {
    const copy = decode(encode(before));
    const result = run(update, before);
    expect(identical(decode(encode(result)), decode(encode(after)))).toBe(true);
    expect(Object.keys(result)).toEqual(Object.keys(after));
    expect(identical(decode(encode(before)), copy)).toBe(true);
  });

  it('applies $ at the element that the filter matched', () => {
    const update = compileUpdate({ $set: { 'a.$.x': 9 } }, options);
    expect(update.needsPosition).toBe(true);
    expect(update.apply({ a: [{ x: 1 }, { x: 2 }] }, { arrayIndex: 1 }).doc).toEqual({
      a: [{ x: 1 }, { x: 9 }],
    });
    expect(() => update.apply({ a: [] }, {})).toThrow(
      'The positional operator did not find the match needed from the query.',
    );
  });

  it('applies $[id] where the array filter matches', () => {
    const doc: Doc = {
      a: [
        { g: 80, v: 1 },
        { g: 90, v: 2 },
      ],
      n: [1, 5],
    };
    expect(run({ $set: { 'a.$[e].v': 0 } }, doc, {}, { arrayFilters: [{ 'e.g': { $gte: 85 } }] })).toEqual({
      a: [
        { g: 80, v: 1 },
        { g: 90, v: 0 },
      ],
      n: [1, 5],
    });
    expect(run({ $set: { 'n.$[x]': 3 } }, doc, {}, { arrayFilters: [{ x: { $gt: 3 } }] })['n']).toEqual([
      1, 3,
    ]);
    const two = run(
      { $set: { 'a.$[e].v': 0, 'a.$[f].w': 7 } },
      doc,
      {},
      { arrayFilters: [{ 'e.g': 80 }, { $or: [{ 'f.g': 80 }, { 'f.v': 2 }] }] },
    );
    expect(two['a']).toEqual([
      { g: 80, v: 0, w: 7 },
      { g: 90, v: 2, w: 7 },
    ]);
  });

  it('adds new fields sorted by name, numeric names by value', () => {
    expect(Object.keys(run({ $set: { c: 1, a: 1 }, $inc: { b: 1 } }, { z: 1 }))).toEqual([
      'z',
      'a',
      'b',
      'c',
    ]);
  });

  it('reports whether something changed', () => {
    const changed = (update: Doc, doc: Doc): boolean => compileUpdate(update, options).apply(doc, {}).changed;
    expect(changed({ $set: { a: int(1) } }, { a: int(1) })).toBe(false);
    expect(changed({ $set: { a: new Double(1) } }, { a: int(1) })).toBe(true);
    expect(changed({ $inc: { a: int(0) } }, { a: int(1) })).toBe(false);
    expect(changed({ $unset: { b: 1 } }, { a: 1 })).toBe(false);
    expect(changed({ $addToSet: { a: 1 } }, { a: [1] })).toBe(false);
    expect(changed({ $pull: { a: 5 } }, { a: [1] })).toBe(false);
    expect(changed({ $min: { a: 5 } }, { a: 1 })).toBe(false);
    expect(changed({ $push: { a: { $each: [] } } }, { a: [1] })).toBe(false);
    expect(changed({ $set: {} }, { a: 1 })).toBe(false);
  });

  it('applies $setOnInsert on insert only', () => {
    expect(run({ $set: { a: 1 }, $setOnInsert: { b: 2, _id: 5 } }, {}, { isInsert: true })).toEqual({
      _id: 5,
      a: 1,
      b: 2,
    });
    expect(Object.keys(run({ $setOnInsert: { b: 2, _id: 5 } }, {}, { isInsert: true }))).toEqual([
      '_id',
      'b',
    ]);
  });

  it('compares by the collation', () => {
    const collation = parseCollation({ locale: 'en', strength: 2 });
    const more = collation ? { collation } : {};
    expect(run({ $addToSet: { a: 'X' } }, { a: ['x'] }, {}, more)).toEqual({ a: ['x'] });
    expect(run({ $pull: { a: 'X' } }, { a: ['x'] }, {}, more)).toEqual({ a: [] });
  });

  it('keeps fields named __proto__', () => {
    const doc = newDoc();
    doc['__proto__'] = int(1);
    const result = run({ $set: { a: 1 } }, doc);
    expect(Object.keys(result)).toEqual(['__proto__', 'a']);
  });

  it('$inc adds exactly across all numeric types', () => {
    fc.assert(
      fc.property(numeric, numeric, (a, b) => {
        const sum = typeof a === 'object' && typeof b === 'object' ? add(a as Int32, b as Int32) : undefined;
        if (sum === undefined) {
          expect(() => run({ $inc: { n: b } }, { n: a })).toThrow(
            'Failed to apply $inc operations to current value',
          );
          return;
        }
        const result = run({ $inc: { n: b } }, { n: a })['n'] as Int32;
        expect(compareNumbers(result, sum)).toBe(0);
        const wholes = [a, b].every((value) => ['int', 'long'].includes(typeName(value)));
        if (wholes) expect(BigInt(String(result))).toBe(BigInt(String(a)) + BigInt(String(b)));
      }),
      { numRuns: 500 },
    );
  });

  it('changes no other fields of any document when it sets a field', () => {
    fc.assert(
      fc.property(anyDoc, (doc) => {
        fc.pre(!Object.hasOwn(doc, 'zzz'));
        const result = run({ $set: { zzz: 1 } }, doc);
        const { zzz, ...rest } = result;
        expect(zzz).toBe(1);
        expect(identical(Object.assign(newDoc(), rest), doc) || Object.hasOwn(doc, '__proto__')).toBe(true);
      }),
    );
  });
});

describe('errors', () => {
  const at = { _id: 1, a: 1, s: 'x', list: [1], n: null, obj: { k: 1 } };
  it.each<[Doc, number, string]>([
    [{ $set: { 'a.b': 1 } }, 28, "Cannot create field 'b' in element {a: 1}"],
    [{ $set: { 'n.b': 1 } }, 28, "Cannot create field 'b' in element {n: null}"],
    [{ $set: { 'list.b': 1 } }, 28, "Cannot create field 'b' in element {list: [ 1 ]}"],
    [{ $set: { a: 1 }, $inc: { a: 1 } }, 40, "Updating the path 'a' would create a conflict at 'a'"],
    [{ $set: { a: 1, 'a.b': 1 } }, 40, "Updating the path 'a.b' would create a conflict at 'a'"],
    [{ $set: { 'a.b': 1, a: 1 } }, 40, "Updating the path 'a' would create a conflict at 'a'"],
    [{ $rename: { a: 'b' }, $set: { b: 1 } }, 40, "would create a conflict at 'b'"],
    [
      { $set: { _id: 2 } },
      66,
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    ],
    [
      { $unset: { _id: 1 } },
      66,
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    ],
    [
      { $inc: { s: 1 } },
      14,
      "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 's' of non-numeric type string",
    ],
    [{ $inc: { a: 'x' } }, 14, 'Cannot increment with non-numeric argument: {a: "x"}'],
    [
      { $mul: { n: 1 } },
      14,
      "Cannot apply $mul to a value of non-numeric type. {_id: 1} has the field 'n' of non-numeric type null",
    ],
    [{ $push: { a: 1 } }, 2, "The field 'a' must be an array but is of type int in document {_id: 1}"],
    [
      { $push: { list: { $each: 1 } } },
      2,
      'The argument to $each in $push must be an array but it was of type: int',
    ],
    [{ $push: { list: { $each: [], $foo: 1 } } }, 2, 'Unrecognized clause in $push: $foo'],
    [
      { $push: { list: { $each: [], $slice: 'x' } } },
      2,
      'The value for $slice must be an integer value but was given type: string',
    ],
    [{ $push: { list: { $each: [], $sort: 5 } } }, 2, 'The $sort element value must be either 1 or -1'],
    [
      { $addToSet: { a: 1 } },
      2,
      "Cannot apply $addToSet to non-array field. Field named 'a' has non-array type int",
    ],
    [{ $pop: { a: 1 } }, 14, "Path 'a' contains an element of non-array type 'int'"],
    [{ $pop: { list: 2 } }, 9, '$pop expects 1 or -1, found: 2'],
    [{ $pull: { a: 1 } }, 2, 'Cannot apply $pull to a non-array value'],
    [{ $pullAll: { list: 1 } }, 2, '$pullAll requires an array argument but was given a int'],
    [{ $bit: { s: { and: 1 } } }, 2, 'Cannot apply $bit to a value of non-integral type'],
    [{ $bit: { a: { nand: 1 } } }, 2, "The $bit modifier only supports 'and', 'or', and 'xor', not 'nand'"],
    [{ $rename: { a: 1 } }, 2, "The 'to' field for $rename must be a string: a: 1"],
    [{ $rename: { a: 'a' } }, 2, 'The source and target field for $rename must differ'],
    [{ $rename: { 'list.0': 'b' } }, 2, 'The source field cannot be an array element'],
    [{ $currentDate: { d: 1 } }, 2, 'int is not valid type for $currentDate'],
    [
      { $foo: { a: 1 } },
      9,
      'Unknown modifier: $foo. Expected a valid update modifier or pipeline-style update specified as an array',
    ],
    [
      { $set: 'x' },
      9,
      'Modifiers operate on fields but we found type string instead. For example: {$mod: {<field>: ...}} not {$set: "x"}',
    ],
    [{ $set: { '': 1 } }, 56, 'An empty update path is not valid.'],
    [{ $set: { 'a.': 1 } }, 56, "The update path 'a.' contains an empty field name, which is not allowed."],
    [{ $set: { $a: 1 } }, 52, "The dollar ($) prefixed field '$a' in '$a'"],
    [{ $set: { '$a.b': 1 } }, 52, "The dollar ($) prefixed field '$a' in '$a.b'"],
    [{ $rename: { a: '$b' } }, 52, "The dollar ($) prefixed field '$b' in '$b'"],
    [{ $set: { 'a.$.b.$': 1 } }, 2, "Too many positional (i.e. '$') elements found in path 'a.$.b.$'"],
    [{ $set: { $: 1 } }, 2, "Cannot have positional (i.e. '$') element in the first position in path '$'"],
    [
      { $set: { 'zz.$[]': 1 } },
      2,
      "The path 'zz' must exist in the document in order to apply array updates.",
    ],
    [{ $set: { 'a.$[]': 1 } }, 2, 'Cannot apply array updates to non-array element a: 1'],
    [{ $set: { 'list.$[x]': 1 } }, 2, "No array filter found for identifier 'x' in path 'list.$[x]'"],
    [{ $set: { a: 1 }, b: 1 }, 9, 'Unknown modifier: b'],
    [{ a: 1, $set: { b: 1 } }, 52, "The dollar ($) prefixed field '$set'"],
    [
      { _id: 2 },
      66,
      "After applying the update, the (immutable) field '_id' was found to have been altered to _id: 2",
    ],
  ])('%j', (update, code, message) => {
    expect(() => run(update, at)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it('of long overflow', () => {
    expect(() => run({ $inc: { n: int(1) } }, { _id: 1, n: Long.MAX_VALUE })).toThrow(
      'Failed to apply $inc operations to current value ((NumberLong)9223372036854775807) for document {_id: 1}',
    );
  });

  it.each<[Doc[], number, string]>([
    [[{ 'x.a': 1, 'y.a': 1 }], 9, "Expected a single top-level field name, found 'x' and 'y'"],
    [[{ 'x.a': 1 }, { x: 2 }], 9, 'Found multiple array filters with the same top-level field name x'],
    [[{ X: 1 }], 2, 'must be an alphanumeric string beginning with a lowercase letter'],
    [[{ x: 1 }, { y: 1 }], 9, "The array filter for identifier 'y' was not used in the update"],
    [[{}], 9, 'without a top-level field name'],
  ])('of array filters %j', (arrayFilters, code, message) => {
    expect(() => run({ $set: { 'list.$[x]': 1 } }, {}, {}, { arrayFilters })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});

describe('names that start with a dollar sign', () => {
  it('are allowed in embedded documents', () => {
    expect(run({ $set: { 'a.$b': 2 }, $unset: { 'a.$c': '' } }, { a: { $b: 1, $c: 1 } })).toEqual({
      a: { $b: 2 },
    });
    expect(run({ $set: { a: { $b: 1 } } }, {})).toEqual({ a: { $b: 1 } });
    expect(run({ a: { $b: 1 } }, {})).toEqual({ a: { $b: 1 } });
  });

  it('are allowed at the top level of a document that an upsert inserts', () => {
    const insert = { isInsert: true };
    expect(run({ $set: { $hotel: 320, phone: 25 } }, {}, insert)).toEqual({ $hotel: 320, phone: 25 });
    expect(run({ $setOnInsert: { '$a.$b': 1 } }, {}, insert)).toEqual({ $a: { $b: 1 } });
    expect(run({ a: 1, $b: 2 }, {}, insert)).toEqual({ a: 1, $b: 2 });
  });
});

describe('replacement', () => {
  it('keeps _id as the first field', () => {
    const result = compileUpdate({ b: 1 }, options).apply({ _id: 7, a: 1 }, {});
    expect(result).toEqual({ doc: { _id: 7, b: 1 }, changed: true });
    expect(Object.keys(run({ b: 1, _id: 7 }, { _id: 7 }))).toEqual(['_id', 'b']);
    expect(compileUpdate({ a: 1 }, options).apply({ _id: 7, a: 1 }, {}).changed).toBe(false);
    expect(compileUpdate({}, options).kind).toBe('replacement');
  });

  it('fills empty timestamps', () => {
    expect(run({ t: new Timestamp({ t: 0, i: 0 }) }, {})).toEqual({ t: new Timestamp({ t: 7, i: 1 }) });
  });
});

describe('pipeline', () => {
  it.each<[Doc[], Doc, Doc]>([
    [
      [{ $set: { a: { $add: ['$a', int(1)] }, 'b.c': '$a' } }],
      { _id: 1, a: int(1) },
      { _id: 1, a: int(2), b: { c: int(1) } },
    ],
    [[{ $set: { b: { c: 1 } } }], { b: { d: 2 } }, { b: { d: 2, c: 1 } }],
    [[{ $unset: ['a', 'b.c'] }], { a: 1, b: { c: 1, d: 2 } }, { b: { d: 2 } }],
    [[{ $project: { a: 1 } }], { _id: 1, a: 1, b: 2 }, { _id: 1, a: 1 }],
    [[{ $replaceWith: '$b' }], { _id: 1, b: { x: 1 } }, { _id: 1, x: 1 }],
    [[{ $replaceRoot: { newRoot: { $mergeObjects: ['$$ROOT', { z: 1 }] } } }], { _id: 1 }, { _id: 1, z: 1 }],
    [[{ $addFields: { list: { $concatArrays: ['$list', [9]] } } }], { list: [1] }, { list: [1, 9] }],
    [[{ $set: { 'list.x': 1 } }], { list: [{ y: 1 }, {}] }, { list: [{ y: 1, x: 1 }, { x: 1 }] }],
    [[{ $set: { t: '$$NOW' } }], {}, { t: new Date(1000) }],
    [[{ $set: { a: '$$REMOVE' } }], { a: 1, b: 2 }, { b: 2 }],
    [[{ $set: { n: '$$x' } }], {}, { n: 5 }],
  ])('%j', (update, before, after) => {
    expect(run(update, before, {}, { let: { x: 5 } })).toEqual(after);
  });

  it.each<[Doc[], number]>([
    [[{ $match: {} }], 72],
    [[{ $foo: 1 }], 72],
    [[{ $set: { _id: 5 } }], 66],
    [[{ $set: {} }], 40177],
    [[{ $replaceWith: 5 }], 40228],
    [[{ $set: { a: 1 }, $unset: 'b' }], 40323],
  ])('refuses %j with code %d', (update, code) => {
    expect(() => run(update, { _id: 1 })).toThrow(expect.objectContaining({ code }));
  });
});

describe('numbers in results', () => {
  it('are the values of the update when nothing is stored yet', () => {
    const result = run({ $inc: { n: 2 } }, {})['n'];
    expect(toNumber(result)).toBe(2);
  });
});
