import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
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
import { anyValue, numeric } from '../../test/arbitrary.js';
import type { Value } from './bson.js';
import { compareUtf8, compareValues, parseCollation } from './compare.js';

/** One value of each type class, in BSON order. */
const ladder: Value[] = [
  new MinKey(),
  undefined,
  null,
  new Double(NaN),
  new Double(-Infinity),
  new Int32(-1),
  new Decimal128('-0.5'),
  new Int32(0),
  Long.fromString('9007199254740992'),
  Long.fromString('9007199254740993'),
  new Double(Infinity),
  '',
  'A',
  'a',
  'é',
  '\uffff',
  '😀',
  {},
  { a: new Int32(1) },
  { a: new Int32(1), b: null },
  { a: 'x' },
  [],
  [new Int32(1)],
  [new Int32(1), null],
  new Binary(Buffer.from([9]), 0),
  new Binary(Buffer.from([1]), 5),
  new Binary(Buffer.from([1, 2]), 0),
  new ObjectId('000000000000000000000001'),
  new ObjectId('ff0000000000000000000001'),
  false,
  true,
  new Date(-1),
  new Date(1),
  new Timestamp({ t: 1, i: 0 }),
  new Timestamp({ t: 0xffffffff, i: 1 }),
  new BSONRegExp('a'),
  new BSONRegExp('a', 'i'),
  new Code('x'),
  new Code('x', {}),
  new MaxKey(),
];

const sign = (n: number): number => Math.sign(n);

describe('compareValues', () => {
  it('orders one value of each type class as BSON does', () => {
    for (let i = 0; i < ladder.length; i++) {
      for (let j = 0; j < ladder.length; j++) {
        expect([i, j, sign(compareValues(ladder[i], ladder[j]))]).toEqual([i, j, sign(i - j)]);
      }
    }
  });

  it('is a total order', () => {
    fc.assert(
      fc.property(anyValue, anyValue, anyValue, (a, b, c) => {
        expect(compareValues(a, a)).toBe(0);
        expect(sign(compareValues(a, b)) + sign(compareValues(b, a))).toBe(0);
        const sorted = [a, b, c].sort((x, y) => compareValues(x, y));
        expect(compareValues(sorted[0], sorted[2])).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('orders numbers transitively across types', () => {
    fc.assert(
      fc.property(numeric, numeric, numeric, (a, b, c) => {
        if (compareValues(a, b) <= 0 && compareValues(b, c) <= 0)
          expect(compareValues(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 1000 },
    );
  });

  it.each<[Value, Value]>([
    [new Int32(1), new Double(1)],
    [new Double(0), new Double(-0)],
    [Long.fromString('9007199254740992'), new Double(2 ** 53)],
    [Long.fromString('9223372036854775807'), new Decimal128('9223372036854775807')],
    [new Decimal128('1.0'), new Int32(1)],
    [new Decimal128('NaN'), new Double(NaN)],
    [new Decimal128('-0'), new Int32(0)],
    ['a', new BSONSymbol('a')],
    [5, new Int32(5)],
  ])('finds %p equal to %p', (a, b) => {
    expect(compareValues(a, b)).toBe(0);
  });

  it('distinguishes a long from the nearest double', () => {
    expect(compareValues(Long.fromString('9223372036854775807'), new Double(2 ** 63))).toBeLessThan(0);
    expect(compareValues(new Double(0.1), new Decimal128('0.1'))).toBeGreaterThan(0);
  });

  it('orders strings by their UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(sign(compareUtf8(a, b))).toBe(sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });
});

describe('collation', () => {
  const at = (strength: number, more = {}) => parseCollation({ locale: 'en', strength, ...more });

  it('is undefined for the simple locale', () => {
    expect(parseCollation({ locale: 'simple' })).toBeUndefined();
    expect(parseCollation(undefined)).toBeUndefined();
  });

  it.each([
    [1, 'résumé', 'RESUME', true],
    [2, 'résumé', 'RESUME', false],
    [2, 'résumé', 'RÉSUMÉ', true],
    [3, 'a', 'A', false],
    [1, 'a', 'b', false],
    [2, 'straße', 'STRASSE', false],
    [1, 'straße', 'STRASSE', true],
  ])('at strength %d %s = %s is %s', (strength, a, b, equal) => {
    expect(compareValues(a, b, at(strength)) === 0).toBe(equal);
  });

  it('compares letters before case and accents', () => {
    const words = ['b', 'B', 'á', 'A', 'a', 'ab', '_x', '1'];
    expect(words.sort((a, b) => compareValues(a, b, at(3)))).toEqual([
      '_x',
      '1',
      'a',
      'A',
      'á',
      'ab',
      'b',
      'B',
    ]);
  });

  it('compares digit sequences as numbers', () => {
    const names = ['v10', 'v9', 'v009', 'v1'];
    const collation = at(3, { numericOrdering: true });
    expect(names.sort((a, b) => compareValues(a, b, collation))).toEqual(['v1', 'v9', 'v009', 'v10']);
  });

  it('applies to strings in documents and arrays', () => {
    expect(compareValues({ a: ['X'] }, { a: ['x'] }, at(2))).toBe(0);
  });

  it.each([
    [{ strength: 2 }, 40414],
    [{ locale: 'en', strength: 9 }, 9],
    [{ locale: '!!' }, 2],
    [{ locale: 'en', other: 1 }, 40415],
    [{ locale: 'en', caseFirst: 'up' }, 2],
  ])('rejects %j with code %d', (spec, code) => {
    expect(() => parseCollation(spec)).toThrow(expect.objectContaining({ code }));
  });
});
