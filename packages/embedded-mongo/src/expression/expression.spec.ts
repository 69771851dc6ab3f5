import { Binary, BSONRegExp, Decimal128, Double, Int32, Long, ObjectId, Timestamp } from 'bson';
import fc from 'fast-check';
import { anyValue } from '../../test/arbitrary.js';
import { decode, encode } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { compareValues, identical } from '../values/compare.js';
import { evaluateExpression } from './expression.js';

const int = (n: number): Int32 => new Int32(n);
const long = (n: number | string): Long => Long.fromString(String(n));
const double = (n: number): Double => new Double(n);
const decimal = (text: string): Decimal128 => new Decimal128(text);
const day = (text: string): Date => new Date(text);

const doc: Doc = {
  i: int(7),
  l: long(9),
  d: double(2.5),
  m: decimal('1.10'),
  s: 'Hello',
  list: [int(3), int(1), int(2)],
  docs: [{ k: 'a', v: int(1) }, { k: 'b', v: int(2) }, { v: int(5) }],
  o: { x: { y: int(1) } },
  t: day('2024-03-10T15:30:45.123Z'),
  nothing: null,
  no: false,
};

/** Whether both values have the same type and BSON bytes. */
const same = (value: Value, expected: Value): boolean => {
  if (value === undefined || expected === undefined) return value === expected;
  return identical(decode(encode({ x: value }))['x'], decode(encode({ x: expected }))['x']);
};

const expectValue = (expression: Value, expected: Value): void => {
  const value = evaluateExpression(expression, doc);
  if (!same(value, expected)) expect(value).toEqual(expected);
  expect(same(value, expected)).toBe(true);
};

describe('paths and variables', () => {
  it.each<[Value, Value]>([
    ['$i', int(7)],
    ['$o.x.y', int(1)],
    ['$docs.v', [int(1), int(2), int(5)]],
    ['$docs.k', ['a', 'b']],
    ['$missing.x', undefined],
    ['$list.0', []],
    ['plain', 'plain'],
    ['$$ROOT.i', int(7)],
    ['$$CURRENT.i', int(7)],
    ['$$REMOVE', undefined],
    [
      { a: '$i', b: '$missing', c: { d: '$s' } },
      { a: int(7), c: { d: 'Hello' } },
    ],
    [
      ['$i', '$missing'],
      [int(7), null],
    ],
    [{ $literal: '$i' }, '$i'],
    [{ $let: { vars: { x: '$i', y: 2 }, in: { $add: ['$$x', '$$y'] } } }, int(9)],
    ['$toString', undefined],
  ])('%j', (expression, expected) => {
    expectValue(expression, expected);
  });

  it('reads variables passed by the caller', () => {
    expect(evaluateExpression('$$x.y', {}, { x: { y: 3 } })).toBe(3);
    expect(evaluateExpression('$$NOW', {}, { NOW: new Date(5) })).toEqual(new Date(5));
  });
});

describe('arithmetic keeps types', () => {
  it.each<[Value, Value]>([
    [{ $add: ['$i', int(1)] }, int(8)],
    [{ $add: ['$i', '$l'] }, long(16)],
    [{ $add: ['$i', '$d'] }, double(9.5)],
    [{ $add: ['$m', int(1)] }, decimal('2.10')],
    [{ $add: [int(2147483647), int(1)] }, long('2147483648')],
    [{ $add: [Long.MAX_VALUE, int(1)] }, double(2 ** 63)],
    [{ $add: ['$t', int(1000)] }, day('2024-03-10T15:30:46.123Z')],
    [{ $add: ['$i', null] }, null],
    [{ $add: [] }, int(0)],
    [{ $subtract: ['$t', day('2024-03-10T15:30:45.000Z')] }, long(123)],
    [{ $subtract: ['$t', int(123)] }, day('2024-03-10T15:30:45.000Z')],
    [{ $subtract: ['$i', int(9)] }, int(-2)],
    [{ $multiply: ['$i', int(3)] }, int(21)],
    [{ $multiply: ['$l', double(0.5)] }, double(4.5)],
    [{ $divide: ['$i', int(2)] }, double(3.5)],
    [{ $divide: [decimal('1'), int(3)] }, decimal('0.3333333333333333333333333333333333')],
    [{ $divide: [decimal('6'), int(3)] }, decimal('2')],
    [{ $mod: ['$i', int(4)] }, int(3)],
    [{ $mod: [double(-7.5), int(2)] }, double(-1.5)],
    [{ $abs: int(-3) }, int(3)],
    [{ $ceil: '$d' }, double(3)],
    [{ $floor: double(-2.5) }, double(-3)],
    [{ $ceil: decimal('-1.5') }, decimal('-1')],
    [{ $round: ['$d'] }, double(2)],
    [{ $round: [double(2.345), 2] }, double(2.35)],
    [{ $round: [int(1250), -2] }, int(1200)],
    [{ $trunc: [double(-2.789), 1] }, double(-2.7)],
    [{ $pow: [int(2), int(10)] }, int(1024)],
    [{ $pow: [int(2), int(40)] }, long(1099511627776)],
    [{ $pow: [int(2), int(-1)] }, double(0.5)],
    [{ $sqrt: int(9) }, double(3)],
    [{ $log: [int(100), int(10)] }, double(2)],
    [{ $log10: int(1000) }, double(3)],
    [{ $exp: int(0) }, double(1)],
    [{ $bitAnd: [int(6), int(3)] }, int(2)],
    [{ $bitOr: [int(6), long(1)] }, long(7)],
    [{ $bitXor: [int(6), int(3)] }, int(5)],
    [{ $bitNot: int(0) }, int(-1)],
    [{ $sum: '$list' }, int(6)],
    [{ $sum: ['$i', '$s', '$l'] }, long(16)],
    [{ $avg: '$list' }, double(2)],
    [{ $max: '$list' }, int(3)],
    [{ $min: ['$i', '$d', null] }, double(2.5)],
    [{ $stdDevPop: [int(1), int(3)] }, double(1)],
    [{ $stdDevSamp: [int(1)] }, null],
    [{ $median: { input: '$list', method: 'approximate' } }, double(2)],
    [{ $percentile: { input: '$list', p: [0, 1], method: 'approximate' } }, [double(1), double(3)]],
    [{ $sin: int(0) }, double(0)],
    [{ $degreesToRadians: int(180) }, double(Math.PI)],
    [{ $atan2: [int(0), int(1)] }, double(0)],
  ])('%j', (expression, expected) => {
    expectValue(expression, expected);
  });
});

describe('comparison, logic, conditionals', () => {
  it.each<[Value, Value]>([
    [{ $eq: ['$i', double(7)] }, true],
    [{ $eq: [long('9007199254740993'), long('9007199254740992')] }, false],
    [{ $ne: ['$missing', null] }, true],
    [{ $lt: ['$missing', null] }, true],
    [{ $gt: ['x', int(5)] }, true],
    [{ $gte: ['$i', '$i'] }, true],
    [{ $lte: ['$l', '$i'] }, false],
    [{ $cmp: ['$i', '$l'] }, int(-1)],
    [{ $and: ['$i', true] }, true],
    [{ $and: [] }, true],
    [{ $or: ['$nothing', int(0)] }, false],
    [{ $not: ['$no'] }, true],
    [{ $cond: [{ $gt: ['$i', 5] }, 'a', 'b'] }, 'a'],
    [{ $cond: { if: '$no', then: 1, else: '$s' } }, 'Hello'],
    [{ $ifNull: ['$missing', '$nothing', 'x'] }, 'x'],
    [
      {
        $switch: {
          branches: [
            { case: '$no', then: 1 },
            { case: true, then: 2 },
          ],
        },
      },
      2,
    ],
    [{ $switch: { branches: [{ case: '$no', then: 1 }], default: 3 } }, 3],
  ])('%j', (expression, expected) => {
    expectValue(expression, expected);
  });

  it('compares any two values as BSON does', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        const expression = { $cmp: [{ $literal: a }, { $literal: b }] };
        expect(evaluateExpression(expression, {})).toEqual(int(Math.sign(compareValues(a, b))));
      }),
    );
  });
});

describe('arrays, sets and objects', () => {
  it.each<[Value, Value]>([
    [{ $size: '$list' }, int(3)],
    [{ $arrayElemAt: ['$list', -1] }, int(2)],
    [{ $arrayElemAt: ['$list', 9] }, undefined],
    [{ $first: '$list' }, int(3)],
    [{ $last: '$list' }, int(2)],
    [{ $firstN: { n: 2, input: '$list' } }, [int(3), int(1)]],
    [{ $lastN: { n: 2, input: '$list' } }, [int(1), int(2)]],
    [{ $maxN: { n: 2, input: '$list' } }, [int(3), int(2)]],
    [{ $minN: { n: 1, input: '$list' } }, [int(1)]],
    [{ $slice: ['$list', 1, 1] }, [int(1)]],
    [{ $slice: ['$list', -2] }, [int(1), int(2)]],
    [{ $in: [double(1), '$list'] }, true],
    [{ $indexOfArray: ['$list', int(2)] }, int(2)],
    [{ $isArray: '$list' }, true],
    [{ $concatArrays: ['$list', [1]] }, [int(3), int(1), int(2), 1]],
    [{ $concatArrays: ['$list', '$nothing'] }, null],
    [{ $reverseArray: '$list' }, [int(2), int(1), int(3)]],
    [{ $range: [0, 5, 2] }, [int(0), int(2), int(4)]],
    [{ $map: { input: '$list', in: { $multiply: ['$$this', 2] } } }, [int(6), int(2), int(4)]],
    [{ $map: { input: '$docs', as: 'e', in: '$$e.v' } }, [int(1), int(2), int(5)]],
    [{ $filter: { input: '$list', cond: { $gt: ['$$this', 1] }, limit: 1 } }, [int(3)]],
    [{ $reduce: { input: '$list', initialValue: 0, in: { $add: ['$$value', '$$this'] } } }, int(6)],
    [
      { $zip: { inputs: ['$list', ['a']], useLongestLength: true } },
      [
        [int(3), 'a'],
        [int(1), null],
        [int(2), null],
      ],
    ],
    [{ $sortArray: { input: '$list', sortBy: -1 } }, [int(3), int(2), int(1)]],
    [{ $sortArray: { input: [{ a: 2 }, { a: 1 }], sortBy: { a: 1 } } }, [{ a: 1 }, { a: 2 }]],
    [
      {
        $arrayToObject: [
          [
            ['a', 1],
            ['b', 2],
          ],
        ],
      },
      { a: 1, b: 2 },
    ],
    [{ $arrayToObject: { $literal: [{ k: 'a', v: 1 }] } }, { a: 1 }],
    [{ $objectToArray: '$o' }, [{ k: 'x', v: { y: int(1) } }]],
    [{ $mergeObjects: ['$o', { z: 1 }, null] }, { x: { y: int(1) }, z: 1 }],
    [{ $getField: 'i' }, int(7)],
    [{ $getField: { field: 'x', input: '$o' } }, { y: int(1) }],
    [{ $setField: { field: 'a.b', input: '$o', value: 1 } }, { x: { y: int(1) }, 'a.b': 1 }],
    [{ $unsetField: { field: 'x', input: '$o' } }, {}],
    [{ $setUnion: ['$list', [double(1), int(9)]] }, [int(1), int(2), int(3), int(9)]],
    [{ $setIntersection: ['$list', [long(2)]] }, [int(2)]],
    [{ $setDifference: ['$list', [double(1)]] }, [int(3), int(2)]],
    [
      {
        $setEquals: [
          [1, 2],
          [2, 1, 1],
        ],
      },
      true,
    ],
    [{ $setIsSubset: [[1], '$list'] }, true],
    [{ $anyElementTrue: [[0, null]] }, false],
    [{ $allElementsTrue: [[1, 'x']] }, true],
    [{ $bsonSize: {} }, int(5)],
    [{ $binarySize: 'é' }, int(2)],
    [{ $tsSecond: new Timestamp({ t: 5, i: 2 }) }, long(5)],
    [{ $tsIncrement: new Timestamp({ t: 5, i: 2 }) }, long(2)],
  ])('%j', (expression, expected) => {
    expectValue(expression, expected);
  });
});

describe('strings and regular expressions', () => {
  it.each<[Value, Value]>([
    [{ $concat: ['$s', '!'] }, 'Hello!'],
    [{ $concat: ['$s', null] }, null],
    [{ $toUpper: '$s' }, 'HELLO'],
    [{ $toLower: '$nothing' }, ''],
    [{ $substrCP: ['a😀b', 1, 1] }, '😀'],
    [{ $substrBytes: ['héllo', 0, 3] }, 'hé'],
    [{ $strLenBytes: 'é' }, int(2)],
    [{ $strLenCP: '😀é' }, int(2)],
    [{ $indexOfCP: ['😀ab', 'b'] }, int(2)],
    [{ $indexOfBytes: ['éb', 'b'] }, int(2)],
    [{ $indexOfCP: ['abab', 'b', 2] }, int(3)],
    [{ $split: ['a-b-c', '-'] }, ['a', 'b', 'c']],
    [{ $trim: { input: '  x ' } }, 'x'],
    [{ $ltrim: { input: 'xxa', chars: 'x' } }, 'a'],
    [{ $rtrim: { input: 'axx', chars: 'x' } }, 'a'],
    [{ $strcasecmp: ['a', 'B'] }, int(-1)],
    [{ $replaceOne: { input: 'aa', find: 'a', replacement: { $literal: '$&' } } }, '$&a'],
    [{ $replaceAll: { input: 'aa', find: 'a', replacement: 'b' } }, 'bb'],
    [{ $regexMatch: { input: '$s', regex: '^he', options: 'i' } }, true],
    [
      { $regexFind: { input: '😀ab', regex: new BSONRegExp('(a)(z)?') } },
      { match: 'a', idx: int(1), captures: ['a', null] },
    ],
    [
      { $regexFindAll: { input: 'abab', regex: 'b' } },
      [
        { match: 'b', idx: int(1), captures: [] },
        { match: 'b', idx: int(3), captures: [] },
      ],
    ],
  ])('%j', (expression, expected) => {
    expectValue(expression, expected);
  });
});

describe('types and conversion', () => {
  const id = new ObjectId('65f0000000000000000000aa');
  it.each<[Value, Value]>([
    [{ $type: '$i' }, 'int'],
    [{ $type: '$missing' }, 'missing'],
    [{ $isNumber: '$m' }, true],
    [{ $toInt: '$d' }, int(2)],
    [{ $toInt: '12' }, int(12)],
    [{ $toLong: '$i' }, long(7)],
    [{ $toLong: '$t' }, long(1710084645123)],
    [{ $toDouble: '2.5' }, double(2.5)],
    [{ $toDecimal: '$i' }, decimal('7')],
    [{ $toDecimal: double(0.1) }, decimal('0.100000000000000')],
    [{ $toBool: '$s' }, true],
    [{ $toBool: int(0) }, false],
    [{ $toString: '$m' }, '1.10'],
    [{ $toString: double(2) }, '2'],
    [{ $toString: '$t' }, '2024-03-10T15:30:45.123Z'],
    [{ $toString: id }, '65f0000000000000000000aa'],
    [{ $toObjectId: '65f0000000000000000000aa' }, id],
    [{ $toDate: long(0) }, day('1970-01-01T00:00:00Z')],
    [{ $toDate: '2024-03-10' }, day('2024-03-10T00:00:00Z')],
    [{ $toDate: id }, id.getTimestamp()],
    [{ $convert: { input: 'x', to: 'int', onError: 'bad' } }, 'bad'],
    [{ $convert: { input: null, to: 'int', onNull: 'none' } }, 'none'],
    [{ $convert: { input: '$d', to: 18 } }, long(2)],
    [{ $toString: new Binary(Buffer.alloc(16), 4) }, '00000000-0000-0000-0000-000000000000'],
  ])('%j', (expression, expected) => {
    expectValue(expression, expected);
  });
});

describe('dates', () => {
  it.each<[Value, Value]>([
    [{ $year: '$t' }, int(2024)],
    [{ $month: '$t' }, int(3)],
    [{ $dayOfMonth: ['$t'] }, int(10)],
    [{ $dayOfWeek: '$t' }, int(1)],
    [{ $dayOfYear: '$t' }, int(70)],
    [{ $hour: { date: '$t', timezone: '+05:30' } }, int(21)],
    [{ $hour: { date: '$t', timezone: 'America/New_York' } }, int(11)],
    [{ $hour: { date: day('2024-03-10T06:30:00Z'), timezone: 'America/New_York' } }, int(1)],
    [{ $minute: '$t' }, int(30)],
    [{ $second: '$t' }, int(45)],
    [{ $millisecond: '$t' }, int(123)],
    [{ $week: '$t' }, int(10)],
    [{ $week: day('2023-01-01') }, int(1)],
    [{ $isoWeek: day('2021-01-03') }, int(53)],
    [{ $isoWeekYear: day('2021-01-03') }, int(2020)],
    [{ $isoDayOfWeek: '$t' }, int(7)],
    [{ $year: null }, null],
    [{ $dateToString: { date: '$t' } }, '2024-03-10T15:30:45.123Z'],
    [
      { $dateToString: { date: '$t', format: '%Y-%m-%d %H:%M %z %j %G-W%V-%u %b %%', timezone: '-0530' } },
      '2024-03-10 10:00 -0530 070 2024-W10-7 Mar %',
    ],
    [{ $dateToString: { date: null, onNull: 'x' } }, 'x'],
    [{ $dateFromString: { dateString: '2024-03-10T15:30:45.123Z' } }, doc['t']],
    [{ $dateFromString: { dateString: '10/03/2024', format: '%d/%m/%Y' } }, day('2024-03-10')],
    [
      { $dateFromString: { dateString: '2024-03-10T10:00:00', timezone: 'America/New_York' } },
      day('2024-03-10T14:00:00Z'),
    ],
    [{ $dateFromString: { dateString: 'nope', onError: 'bad' } }, 'bad'],
    [{ $dateFromParts: { year: 2024, month: 14, day: 1 } }, day('2025-02-01')],
    [{ $dateFromParts: { isoWeekYear: 2020, isoWeek: 53, isoDayOfWeek: 7 } }, day('2021-01-03')],
    [{ $dateFromParts: { year: 2024, hour: 12, timezone: 'Europe/Paris' } }, day('2024-01-01T11:00:00Z')],
    [
      { $dateToParts: { date: '$t' } },
      {
        year: int(2024),
        month: int(3),
        day: int(10),
        hour: int(15),
        minute: int(30),
        second: int(45),
        millisecond: int(123),
      },
    ],
    [{ $dateAdd: { startDate: day('2024-01-31'), unit: 'month', amount: 1 } }, day('2024-02-29')],
    [
      {
        $dateAdd: {
          startDate: day('2024-03-09T17:00:00Z'),
          unit: 'day',
          amount: 1,
          timezone: 'America/New_York',
        },
      },
      day('2024-03-10T16:00:00Z'),
    ],
    [{ $dateSubtract: { startDate: '$t', unit: 'hour', amount: 2 } }, day('2024-03-10T13:30:45.123Z')],
    [
      { $dateDiff: { startDate: day('2023-12-31T23:59:59Z'), endDate: day('2024-01-01'), unit: 'year' } },
      long(1),
    ],
    [
      {
        $dateDiff: {
          startDate: day('2024-03-09'),
          endDate: day('2024-03-11'),
          unit: 'week',
          startOfWeek: 'monday',
        },
      },
      long(1),
    ],
    [
      {
        $dateDiff: {
          startDate: day('2024-03-10T10:59:00Z'),
          endDate: day('2024-03-10T11:01:00Z'),
          unit: 'hour',
        },
      },
      long(1),
    ],
    [{ $dateTrunc: { date: '$t', unit: 'hour' } }, day('2024-03-10T15:00:00Z')],
    [{ $dateTrunc: { date: '$t', unit: 'week', startOfWeek: 'monday' } }, day('2024-03-04')],
    [{ $dateTrunc: { date: '$t', unit: 'quarter' } }, day('2024-01-01')],
    [{ $dateTrunc: { date: '$t', unit: 'day', timezone: 'America/New_York' } }, day('2024-03-10T05:00:00Z')],
    [{ $dateTrunc: { date: '$t', unit: 'minute', binSize: 15 } }, day('2024-03-10T15:30:00Z')],
  ])('%j', (expression, expected) => {
    expectValue(expression, expected);
  });
});

describe('errors', () => {
  it.each<[Value, number, string]>([
    [{ $foo: 1 }, 168, "Unrecognized expression '$foo'"],
    [{ $add: ['x'] }, 14, '$add only supports numeric or date types, not string'],
    [{ $subtract: ['x', 1] }, 14, "can't $subtract int from string"],
    [{ $divide: [1, 0] }, 2, "can't $divide by zero"],
    [{ $mod: [1, 0] }, 16610, "can't $mod by zero"],
    [{ $eq: [1] }, 16020, 'Expression $eq takes exactly 2 arguments. 1 were passed in.'],
    [{ $concat: [1] }, 16702, '$concat only supports strings, not int'],
    [{ $size: '$i' }, 17124, 'The argument to $size must be an array, but was of type: int'],
    [{ $size: '$missing' }, 17124, 'The argument to $size must be an array, but was of type: missing'],
    [{ $in: [1, 2] }, 40081, '$in requires an array as a second argument, found: int'],
    [{ $toInt: 'x' }, 241, "Failed to parse number 'x' in $convert with no onError value"],
    [{ $toInt: Long.MAX_VALUE }, 241, 'overflow'],
    [
      { $switch: { branches: [{ case: false, then: 1 }] } },
      40066,
      '$switch could not find a matching branch',
    ],
    ['$$nope', 17276, 'Use of undefined variable: nope'],
    ['$', 16872, "'$' by itself is not a valid FieldPath"],
    ['$a..b', 15998, 'FieldPath field names may not be empty strings.'],
    [
      { $add: [1], $subtract: [1, 2] },
      15983,
      'an object representing an expression must have exactly one field',
    ],
    [{ $year: 'x' }, 16006, "can't convert from BSON type string to Date"],
    [{ $hour: { date: '$t', timezone: 'Mars/One' } }, 40485, 'unrecognized time zone identifier: "Mars/One"'],
    [
      { $dateToString: { date: '$t', format: '%Q' } },
      18536,
      "Invalid format character '%Q' in format string",
    ],
    [{ $sqrt: int(-1) }, 28714, '$sqrt'],
    [
      { $replaceOne: { input: { a: 1 }, find: 'a', replacement: 'b' } },
      51746,
      "requires that 'input' be a string",
    ],
    [{ $trim: { input: { a: 1 } } }, 50699, 'requires its input to be a string'],
    [{ $dateFromString: { dateString: { a: 1 } } }, 241, "requires that 'dateString' be a string"],
  ])('%j', (expression, code, message) => {
    expect(() => evaluateExpression(expression, doc)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
