import { Decimal128, Double, Int32, Long } from 'bson';
import { hashedKey } from './hashed.js';

describe('hashedKey', () => {
  it('is what MongoDB computes', () => {
    // From MongoDB's documentation of $toHashedIndexKey.
    expect(hashedKey('string to hash')).toEqual(Long.fromString('763543691661428748'));
  });

  it('is the same for equal whole numbers of all types, and cuts fractions', () => {
    const keys = [new Int32(3), Long.fromNumber(3), new Double(3.7), Decimal128.fromString('3.2')];
    expect(new Set(keys.map((value) => hashedKey(value).toString())).size).toBe(1);
  });

  it.each([
    [new Double(NaN), new Int32(0)],
    [new Double(1e300), Long.MAX_VALUE],
    [new Double(-Infinity), Long.MIN_VALUE],
  ])('keeps %p in range', (value, expected) => {
    expect(hashedKey(value)).toEqual(hashedKey(expected));
  });

  it('tells documents, arrays, null and text apart', () => {
    const keys = [{ a: 1 }, { b: 1 }, [1], null, undefined, '1', ''];
    expect(new Set(keys.map((value) => hashedKey(value).toString())).size).toBe(keys.length);
  });
});
