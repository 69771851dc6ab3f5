import { Double, Int32, Long } from 'bson';
import fc from 'fast-check';
import { anyValue, numeric } from '../../test/arbitrary.js';
import type { Value } from './bson.js';
import { bracket, compareValues, parseCollation } from './compare.js';
import { bracketBounds, encodeKey, keyUpperBound } from './key.js';
import type { Direction } from './key.js';

const sign = (n: number): number => Math.sign(n);
const direction = fc.constantFrom<Direction>(1, -1);
const compareKeys = (a: Uint8Array, b: Uint8Array): number => sign(Buffer.compare(a, b));

describe('encodeKey', () => {
  it('produces keys in the order of compareValues for numbers', () => {
    fc.assert(
      fc.property(numeric, numeric, (a, b) => {
        expect(compareKeys(encodeKey([a], [1]), encodeKey([b], [1]))).toBe(sign(compareValues(a, b)));
      }),
      { numRuns: 3000 },
    );
  });

  it('produces keys in the order of compareValues for all types, in both directions', () => {
    fc.assert(
      fc.property(anyValue, anyValue, direction, (a, b, way) => {
        const expected = sign(compareValues(a, b)) * way;
        expect(compareKeys(encodeKey([a], [way]), encodeKey([b], [way])) + 0).toBe(expected + 0);
      }),
      { numRuns: 3000 },
    );
  });

  it('orders compound keys field by field', () => {
    const pair = fc.tuple(anyValue, anyValue);
    fc.assert(
      fc.property(pair, pair, direction, direction, fc.boolean(), (a, b, first, second, same) => {
        const other: Value[] = same ? [a[0], b[1]] : b;
        const ways = [first, second];
        const expected =
          sign(compareValues(a[0], other[0])) * first || sign(compareValues(a[1], other[1])) * second;
        expect(compareKeys(encodeKey(a, ways), encodeKey(other, ways)) + 0).toBe(expected + 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('follows a collation', () => {
    const collation = parseCollation({ locale: 'en', strength: 2 });
    const word = fc.constantFrom('a', 'A', 'á', 'b', 'B', 'a b', 'ab', 'ß', '1', '');
    fc.assert(
      fc.property(word, word, (a, b) => {
        const keys = [a, b].map((text) => encodeKey([text], [1], collation));
        expect(compareKeys(keys[0] ?? new Uint8Array(), keys[1] ?? new Uint8Array())).toBe(
          sign(compareValues(a, b, collation)),
        );
      }),
    );
  });

  it('makes the key of fewer values a prefix of the key of more', () => {
    fc.assert(
      fc.property(anyValue, anyValue, direction, (a, b, way) => {
        const short = encodeKey([a], [way, 1]);
        const long = encodeKey([a, b], [way, 1]);
        expect(long.length).toBeGreaterThan(short.length);
        expect(Buffer.compare(long.subarray(0, short.length), short)).toBe(0);
      }),
    );
  });

  it('produces no key that starts with the key of another value', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        fc.pre(compareValues(a, b) !== 0);
        const [x, y] = [encodeKey([a], [1]), encodeKey([b], [1])];
        const length = Math.min(x.length, y.length);
        expect(Buffer.compare(x.subarray(0, length), y.subarray(0, length))).not.toBe(0);
      }),
    );
  });

  it('produces equal keys for equal numbers of different types', () => {
    const keys = [new Int32(5), Long.fromNumber(5), new Double(5), 5, 5n].map((value) =>
      encodeKey([value], [1]),
    );
    for (const key of keys) expect(Buffer.compare(key, keys[0] ?? new Uint8Array())).toBe(0);
  });
});

describe('bounds', () => {
  it('keyUpperBound is above all keys with the prefix and not above the next', () => {
    fc.assert(
      fc.property(anyValue, anyValue, direction, (a, b, way) => {
        const prefix = encodeKey([a], [way]);
        expect(Buffer.compare(encodeKey([a, b], [way, way]), keyUpperBound(prefix))).toBe(-1);
        const other = encodeKey([b], [way]);
        if (Buffer.compare(other, prefix) > 0) {
          expect(Buffer.compare(other, keyUpperBound(prefix))).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it('bracketBounds contains exactly the values of one type class', () => {
    fc.assert(
      fc.property(anyValue, anyValue, anyValue, direction, (first, operand, value, way) => {
        const prefix = encodeKey([first], [way]);
        const { low, high } = bracketBounds(prefix, operand, way);
        const key = encodeKey([first, value], [way, way]);
        const inside = Buffer.compare(key, low) >= 0 && Buffer.compare(key, high) < 0;
        expect(inside).toBe(bracket(value) === bracket(operand));
      }),
    );
  });
});
