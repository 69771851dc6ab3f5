import {
  Binary,
  BSONRegExp,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';
import fc from 'fast-check';
import { anyDoc, anyValue } from '../../test/arbitrary.js';
import { fieldKey, isNumeric } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { bracket, compareValues, equalValues, parseCollation } from '../values/compare.js';
import { isNaNValue } from '../values/numbers.js';
import { compileFilter } from './matcher.js';

const matches = (filter: Doc, doc: Doc): boolean => compileFilter(filter).matches(doc);

const id = new ObjectId();
const re = (pattern: string, options = ''): BSONRegExp => new BSONRegExp(pattern, options);

describe('operators', () => {
  it.each<[string, Doc, Doc, boolean]>([
    ['eq', { a: 1 }, { a: 1 }, true],
    ['eq across types', { a: new Double(1) }, { a: new Int32(1) }, true],
    ['eq long against double', { a: Long.fromString('9007199254740993') }, { a: new Double(2 ** 53) }, false],
    ['eq decimal', { a: new Decimal128('1.50') }, { a: new Double(1.5) }, true],
    ['eq ObjectId', { a: id }, { a: new ObjectId(id.toHexString()) }, true],
    ['eq binary', { a: new Binary(Buffer.from('x'), 4) }, { a: new Binary(Buffer.from('x'), 0) }, false],
    ['eq in array', { a: 1 }, { a: [3, 1] }, true],
    ['eq whole array', { a: [1, 2] }, { a: [1, 2] }, true],
    ['eq nested array', { a: [1, 2] }, { a: [[1, 2]] }, true],
    ['elemMatch of an array by position', { a: { $elemMatch: { [fieldKey('0')]: 1 } } }, { a: [[1]] }, true],
    ['eq not deeper', { a: 1 }, { a: [[1]] }, false],
    ['eq document', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 2 } }, true],
    ['eq document, other order', { a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } }, false],
    ['eq regex value', { a: { $eq: re('x') } }, { a: 'x' }, false],
    ['null matches null', { a: null }, { a: null }, true],
    ['null matches missing', { a: null }, {}, true],
    ['null does not match zero', { a: null }, { a: 0 }, false],
    ['null below a scalar', { 'a.b': null }, { a: 1 }, true],
    ['null through array of documents', { 'a.b': null }, { a: [{ b: 1 }, {}] }, true],
    ['null through array of scalars', { 'a.b': null }, { a: [1, 2] }, false],
    ['null in array', { a: null }, { a: [1, null] }, true],
    ['ne', { a: { $ne: 1 } }, { a: [1, 2] }, false],
    ['ne missing', { a: { $ne: 1 } }, {}, true],
    ['ne null', { a: { $ne: null } }, {}, false],
    ['gt', { a: { $gt: 1 } }, { a: 2 }, true],
    ['gt other type', { a: { $gt: 1 } }, { a: 'x' }, false],
    ['gt date against number', { a: { $gt: 1 } }, { a: new Date(5) }, false],
    ['gte equal', { a: { $gte: 1 } }, { a: new Decimal128('1') }, true],
    ['lt string', { a: { $lt: 'b' } }, { a: 'a' }, true],
    ['lte in array', { a: { $lte: 0 } }, { a: [5, 0] }, true],
    ['gte null', { a: { $gte: null } }, {}, true],
    ['gt null', { a: { $gt: null } }, { a: null }, false],
    ['gt NaN', { a: { $gt: new Double(NaN) } }, { a: 1 }, false],
    ['gte NaN', { a: { $gte: new Double(NaN) } }, { a: new Decimal128('NaN') }, true],
    ['lt against NaN', { a: { $lt: 1 } }, { a: new Double(NaN) }, false],
    ['lt MaxKey', { a: { $lt: new MaxKey() } }, { a: 'x' }, true],
    ['gt MinKey', { a: { $gt: new MinKey() } }, { a: 'x' }, true],
    ['gte MinKey equal', { a: { $gte: new MinKey() } }, { a: new MinKey() }, true],
    [
      'gt timestamp',
      { a: { $gt: new Timestamp({ t: 1, i: 1 }) } },
      { a: new Timestamp({ t: 1, i: 2 }) },
      true,
    ],
    ['range on one field', { a: { $gt: 1, $lt: 3 } }, { a: [0, 4] }, true],
    ['in', { a: { $in: [1, 'x'] } }, { a: 'x' }, true],
    ['in none', { a: { $in: [] } }, { a: 1 }, false],
    ['in null', { a: { $in: [null] } }, {}, true],
    ['in regex', { a: { $in: [re('^x')] } }, { a: ['b', 'xa'] }, true],
    ['in array element', { a: { $in: [2] } }, { a: [1, 2] }, true],
    ['nin', { a: { $nin: [1] } }, { a: [1] }, false],
    ['nin missing', { a: { $nin: [1] } }, {}, true],
    ['and', { $and: [{ a: 1 }, { b: 2 }] }, { a: 1, b: 2 }, true],
    ['or', { $or: [{ a: 1 }, { b: 2 }] }, { b: 2 }, true],
    ['nor', { $nor: [{ a: 1 }, { b: 2 }] }, { b: 2 }, false],
    ['not', { a: { $not: { $gt: 1 } } }, { a: 'x' }, true],
    ['not regex', { a: { $not: re('x') } }, { a: 'y' }, true],
    ['exists', { a: { $exists: true } }, { a: null }, true],
    ['exists false', { a: { $exists: false } }, {}, true],
    ['exists 0', { a: { $exists: 0 } }, { a: 1 }, false],
    ['exists through array', { 'a.b': { $exists: true } }, { a: [{}, { b: 1 }] }, true],
    ['type name', { a: { $type: 'long' } }, { a: Long.fromNumber(1) }, true],
    ['type number', { a: { $type: 2 } }, { a: 'x' }, true],
    ['type alias number', { a: { $type: 'number' } }, { a: new Decimal128('1') }, true],
    ['type array', { a: { $type: 'array' } }, { a: [] }, true],
    ['type in array', { a: { $type: 'string' } }, { a: [1, 'x'] }, true],
    ['type list', { a: { $type: ['bool', 'date'] } }, { a: new Date() }, true],
    ['size', { a: { $size: 2 } }, { a: [1, [2]] }, true],
    ['size of no array', { a: { $size: 1 } }, { a: 'x' }, false],
    ['all', { a: { $all: [1, 2] } }, { a: [2, 3, 1] }, true],
    ['all scalar', { a: { $all: [1] } }, { a: 1 }, true],
    ['all empty', { a: { $all: [] } }, { a: [] }, false],
    [
      'all with elemMatch',
      { a: { $all: [{ $elemMatch: { x: 1 } }, { $elemMatch: { x: 2 } }] } },
      { a: [{ x: 1 }, { x: 2 }] },
      true,
    ],
    ['elemMatch document', { a: { $elemMatch: { x: 1, y: 2 } } }, { a: [{ x: 1 }, { y: 2 }] }, false],
    ['elemMatch document found', { a: { $elemMatch: { x: 1, y: 2 } } }, { a: [{ x: 1, y: 2 }] }, true],
    ['elemMatch value', { a: { $elemMatch: { $gt: 1, $lt: 3 } } }, { a: [0, 4] }, false],
    ['elemMatch value found', { a: { $elemMatch: { $gt: 1, $lt: 3 } } }, { a: [2] }, true],
    ['elemMatch or', { a: { $elemMatch: { $or: [{ x: 1 }, { x: 2 }] } } }, { a: [{ x: 2 }] }, true],
    ['elemMatch of no array', { a: { $elemMatch: { x: 1 } } }, { a: { x: 1 } }, false],
    ['elemMatch nested array', { a: { $elemMatch: { $elemMatch: { $eq: 1 } } } }, { a: [[1]] }, true],
    ['mod', { a: { $mod: [4, 3] } }, { a: new Double(7.9) }, true],
    ['mod negative', { a: { $mod: [4, -3] } }, { a: -7 }, true],
    ['mod string', { a: { $mod: [4, 0] } }, { a: '4' }, false],
    ['regex', { a: re('^ab', 'i') }, { a: 'ABc' }, true],
    ['regex operator', { a: { $regex: 'b$', $options: 'm' } }, { a: 'ab\nc' }, true],
    ['regex extended', { a: { $regex: 'a b # comment', $options: 'x' } }, { a: 'ab' }, true],
    ['regex dot all', { a: { $regex: 'a.b', $options: 's' } }, { a: 'a\nb' }, true],
    ['regex inline option', { a: { $regex: '(?i)AB' } }, { a: 'ab' }, true],
    ['regex on a number', { a: re('1') }, { a: 1 }, false],
    ['regex equals itself', { a: re('x', 'i') }, { a: re('x', 'i') }, true],
    ['regex in array', { a: re('x') }, { a: ['y', 'x'] }, true],
    ['bitsAllSet', { a: { $bitsAllSet: 5 } }, { a: 7 }, true],
    ['bitsAllSet positions', { a: { $bitsAllSet: [0, 2] } }, { a: 4 }, false],
    ['bitsAllClear', { a: { $bitsAllClear: [1] } }, { a: 5 }, true],
    ['bitsAnySet binary', { a: { $bitsAnySet: new Binary(Buffer.from([2])) } }, { a: 2 }, true],
    ['bitsAnyClear', { a: { $bitsAnyClear: 3 } }, { a: 3 }, false],
    ['bits of a negative number', { a: { $bitsAllSet: [62, 63, 200] } }, { a: -1 }, true],
    ['bits of binary', { a: { $bitsAllSet: [9] } }, { a: new Binary(Buffer.from([0, 2])) }, true],
    ['bits of a fraction', { a: { $bitsAllSet: 1 } }, { a: new Double(1.5) }, false],
    ['expr', { $expr: { $gt: ['$a', '$b'] } }, { a: 2, b: 1 }, true],
    [
      'expr keeps longs exact',
      { $expr: { $eq: ['$a', '$b'] } },
      { a: Long.fromString('9007199254740993'), b: Long.fromString('9007199254740992') },
      false,
    ],
    [
      'jsonSchema',
      { $jsonSchema: { required: ['a'], properties: { a: { bsonType: 'int' } } } },
      { a: new Int32(1) },
      true,
    ],
    ['comment', { $comment: 'why', a: { $eq: 1, $comment: 'x' } }, { a: 1 }, true],
    ['alwaysFalse', { $alwaysFalse: 1 }, {}, false],
    ['numeric component', { 'a.1': 2 }, { a: [1, 2] }, true],
    ['numeric component deeper', { 'a.1.b': 2 }, { a: [{ b: 1 }, { b: 2 }] }, true],
    ['numeric component as a field', { 'a.1': 2 }, { a: { [fieldKey('1')]: 2 } }, true],
    ['dotted through arrays', { 'a.b.c': 3 }, { a: [{ b: [{ c: 3 }] }] }, true],
    ['field named toString', { toString: { $exists: true } }, {}, false],
    ['DBRef value', { a: { $ref: 'c', $id: 1 } }, { a: { $ref: 'c', $id: 1 } }, true],
    ['DBRef field by path', { 'a.$id': 1 }, { a: { $ref: 'c', $id: 1 } }, true],
  ])('%s', (_name, filter, doc, expected) => {
    expect(matches(filter, doc)).toBe(expected);
  });

  it.each<[Doc, number, string]>([
    [{ a: { $foo: 1 } }, 2, 'unknown operator: $foo'],
    [{ $foo: 1 }, 2, 'unknown top level operator: $foo'],
    [{ a: { $in: 1 } }, 2, '$in needs an array'],
    [{ a: { $nin: 1 } }, 2, '$nin needs an array'],
    [{ a: { $in: [{ $gt: 1 }] } }, 2, 'cannot nest $ under $in'],
    [{ $and: {} }, 2, '$and must be an array'],
    [{ $or: [] }, 2, '$and/$or/$nor must be a nonempty array'],
    [{ $or: [1] }, 2, '$or/$and/$nor entries need to be full objects'],
    [{ a: { $not: 1 } }, 2, '$not needs a regex or a document'],
    [{ a: { $not: {} } }, 2, '$not cannot be empty'],
    [{ a: { $type: 'foo' } }, 2, 'Unknown type name alias: foo'],
    [{ a: { $type: 99 } }, 2, 'Invalid numerical type code: 99'],
    [{ a: { $type: null } }, 14, 'type must be represented as a number or a string'],
    [{ a: { $size: -1 } }, 2, 'Failed to parse $size. Expected a non-negative number in: $size: -1'],
    [{ a: { $mod: [0, 1] } }, 2, 'divisor cannot be 0'],
    [{ a: { $mod: [1] } }, 2, 'malformed mod, not enough elements'],
    [{ a: { $regex: '(' } }, 51091, 'Regular expression is invalid'],
    [{ a: { $regex: 'a', $options: 'q' } }, 51108, 'invalid flag in regex options: q'],
    [{ a: { $options: 'i' } }, 2, '$options needs a $regex'],
    [{ a: { $elemMatch: 1 } }, 2, '$elemMatch needs an Object'],
    [{ a: { $all: 1 } }, 2, '$all needs an array'],
    [{ a: { $gt: re('x') } }, 2, "Can't have RegEx as arg to predicate over field 'a'."],
    [{ a: { $bitsAllSet: -1 } }, 2, 'Expected a non-negative number'],
    [
      { a: { $bitsAllSet: 'x' } },
      2,
      '$bitsAllSet takes an Array, a number, or a BinData but received: string',
    ],
    [{ $jsonSchema: { foo: 1 } }, 9, 'Unknown $jsonSchema keyword: foo'],
    [{ $expr: { $foo: 1 } }, 168, "Unrecognized expression '$foo'"],
  ])('refuses %j', (filter, code, message) => {
    expect(() => compileFilter(filter)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it('compares strings by the collation', () => {
    const collation = parseCollation({ locale: 'en', strength: 2 });
    const test = (filter: Doc, doc: Doc): boolean =>
      compileFilter(filter, collation ? { collation } : {}).matches(doc);
    expect(test({ a: 'ABC' }, { a: 'abc' })).toBe(true);
    expect(test({ a: { $in: ['ABC'] } }, { a: ['x', 'abc'] })).toBe(true);
    expect(test({ a: { $gt: 'B' } }, { a: 'b' })).toBe(false);
  });

  it('provides $expr with the variables of let and the time', () => {
    const filter = compileFilter(
      { $expr: { $and: [{ $eq: ['$a', '$$x'] }, { $eq: ['$$NOW', '$t'] }] } },
      { let: { x: 3 }, now: new Date(5) },
    );
    expect(filter.matches({ a: 3, t: new Date(5) })).toBe(true);
  });
});

describe('against brute force over BSON order', () => {
  const operators = {
    $eq: (order: number) => order === 0,
    $gt: (order: number) => order > 0,
    $gte: (order: number) => order >= 0,
    $lt: (order: number) => order < 0,
    $lte: (order: number) => order <= 0,
  };
  const isSpecial = (value: Value): boolean =>
    value === null ||
    value instanceof MinKey ||
    value instanceof MaxKey ||
    (isNumeric(value) && isNaNValue(value));

  it('compares any value with any operand', () => {
    fc.assert(
      fc.property(
        anyValue,
        anyValue,
        fc.constantFrom(...(Object.keys(operators) as (keyof typeof operators)[])),
        (stored, operand, name) => {
          fc.pre(!isSpecial(stored) && !isSpecial(operand) && !(operand instanceof BSONRegExp));
          const candidates = Array.isArray(stored) ? [...stored, stored] : [stored];
          fc.pre(!candidates.some(isSpecial));
          const expected = candidates.some(
            (value) => bracket(value) === bracket(operand) && operators[name](compareValues(value, operand)),
          );
          expect(matches({ a: { [name]: operand } }, { a: stored })).toBe(expected);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('finds a document by each of its fields, and $in by any of a list', () => {
    fc.assert(
      fc.property(anyDoc, anyValue, (doc, other) => {
        for (const [name, value] of Object.entries(doc)) {
          fc.pre(!name.startsWith('$') && !name.includes('.') && !(value instanceof BSONRegExp));
          expect(matches({ [name]: { $eq: value } }, doc)).toBe(true);
          expect(matches({ [name]: { $ne: value } }, doc)).toBe(false);
          if (!(other instanceof BSONRegExp))
            expect(matches({ wrapped: { $in: [[other], [value]] } }, { wrapped: [value] })).toBe(true);
          expect(equalValues(value, value)).toBe(true);
        }
      }),
    );
  });
});

describe('matchPositional', () => {
  it.each<[Doc, Doc, number | undefined]>([
    [{ a: 2 }, { a: [1, 2] }, 1],
    [{ 'a.b': 2 }, { a: [{ b: 1 }, { b: 2 }] }, 1],
    [{ a: { $elemMatch: { b: 2, c: 1 } } }, { a: [{ b: 2 }, { b: 2, c: 1 }] }, 1],
    [{ a: { $elemMatch: { $gt: 2 } } }, { a: [1, 5] }, 1],
    [{ x: 1, a: 3 }, { x: 1, a: [1, 2, 3] }, 2],
    [{ a: [1, 2] }, { a: [1, 2] }, undefined],
    [{ 'a.1': 2 }, { a: [1, 2] }, undefined],
    [{ $or: [{ a: 9 }, { a: 2 }] }, { a: [1, 2] }, 1],
    [{ 'a.b': 3 }, { a: [{ b: [1] }, { b: [2, 3] }] }, 1],
    [{ a: { $ne: 9 } }, { a: [1] }, undefined],
  ])('%j on %j', (filter, doc, index) => {
    expect(compileFilter(filter).matchPositional(doc)).toEqual(
      index === undefined ? { matched: true } : { matched: true, arrayIndex: index },
    );
  });

  it('reports no match', () => {
    expect(compileFilter({ a: 2, b: 1 }).matchPositional({ a: [2] })).toEqual({ matched: false });
  });
});

describe('the parsed filter', () => {
  it('shows equality, ranges and prefixes to the planner', () => {
    expect(compileFilter({ a: 1, b: { $gt: 2, $lt: 5 } }).ast).toEqual({
      kind: 'and',
      children: [
        { kind: 'field', path: 'a', op: 'eq', value: 1 },
        {
          kind: 'and',
          children: [
            { kind: 'field', path: 'b', op: 'gt', value: 2 },
            { kind: 'field', path: 'b', op: 'lt', value: 5 },
          ],
        },
      ],
    });
    expect(compileFilter({ a: re('^abc') }).ast).toMatchObject({
      op: 'regex',
      prefix: 'abc',
      prefixOnly: true,
    });
    expect(compileFilter({ a: re('^ab*c') }).ast).toMatchObject({ prefix: 'a', prefixOnly: false });
    expect(compileFilter({ a: re('^a\\.b.*') }).ast).toMatchObject({ prefix: 'a.b', prefixOnly: true });
    expect(compileFilter({ a: re('^a|b') }).ast).toMatchObject({ prefix: '' });
    expect(compileFilter({ a: re('^a', 'i') }).ast).toMatchObject({ prefix: '' });
    expect(compileFilter({}).ast).toEqual({ kind: 'true' });
  });
});
