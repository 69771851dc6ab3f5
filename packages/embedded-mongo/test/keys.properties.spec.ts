import { Decimal128, Double, Int32, Long } from 'bson';
import fc from 'fast-check';
import type { Doc, Value } from '../src/values/types.js';
import { encodeKey, keyUpperBound } from '../src/values/key.js';
import { anyValue, numeric } from './arbitrary.js';
import { compare } from './oracle/order.js';
import { expectHolds, propertyTimeoutMs } from './properties.js';

type Direction = 1 | -1;
const direction = fc.constantFrom<Direction>(1, -1);
const bytesOf = (values: Value[], directions: Direction[]): Buffer =>
  Buffer.from(encodeKey(values, directions));

/** The same number in every type that can represent it, and its neighbors. */
const manyTypes = fc
  .oneof(
    fc.bigInt({ min: -20n, max: 20n }),
    fc.bigInt({ min: -(2n ** 53n) - 4n, max: -(2n ** 53n) + 4n }),
    fc.bigInt({ min: 2n ** 62n, max: 2n ** 63n - 1n }),
  )
  .chain((n) =>
    fc.constantFrom<Value>(
      Long.fromBigInt(n),
      new Double(Number(n)),
      new Double(Number(n) + 0.5),
      new Decimal128(`${n}`),
      new Decimal128(`${n}.0`),
      new Decimal128(`${n}.0000000000001`),
      ...(n === BigInt(Number(n) | 0) ? [new Int32(Number(n))] : []),
    ),
  );
const odd = fc.constantFrom<Value>(
  new Double(NaN),
  new Decimal128('NaN'),
  new Double(-0),
  new Decimal128('-0'),
  new Decimal128('-0E+5'),
  new Double(Infinity),
  new Double(-Infinity),
  new Decimal128('Infinity'),
  new Decimal128('-Infinity'),
  new Double(Number.MAX_VALUE),
  new Decimal128('1.797693134862315708145274237317044E+308'),
  new Decimal128('9.999999999999999999999999999999999E+6144'),
  new Decimal128('1E-6176'),
  new Double(Number.MIN_VALUE),
  new Decimal128('4.940656458412465441765687928682213E-324'),
);
const begin = 'the same beginning '.repeat(160);
const longText = fc
  .tuple(fc.constantFrom('', 'a', '\0', 'é', '😀', '\uffff'), fc.string({ maxLength: 3 }))
  .map(([part, end]): Value => `${begin}${part}${end}`);
const wrapped = (value: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
  fc.oneof(
    { weight: 4, arbitrary: value },
    fc.array(value, { maxLength: 3 }),
    fc
      .dictionary(fc.constantFrom('a', 'b', ''), value, { maxKeys: 2, noNullPrototype: true })
      .map((doc): Doc => doc),
  );
const hard = wrapped(wrapped(fc.oneof(manyTypes, odd, numeric, longText, anyValue)));

it(
  'keys sort like their values in both directions, compared with a reference order',
  () => {
    expectHolds(
      fc.property(hard, hard, direction, (a, b, way) => {
        expect(Buffer.compare(bytesOf([a], [way]), bytesOf([b], [way])) + 0).toBe(compare(a, b) * way + 0);
      }),
      4_000,
    );
  },
  propertyTimeoutMs,
);

it(
  'sorting many keys sorts the lists of values that they encode',
  () => {
    expectHolds(
      fc.property(
        fc.array(fc.tuple(hard, fc.oneof(odd, manyTypes)), { minLength: 2, maxLength: 12 }),
        direction,
        direction,
        (lists, first, second) => {
          const keyed = lists.map((values) => ({ values, key: bytesOf(values, [first, second]) }));
          keyed.sort((a, b) => Buffer.compare(a.key, b.key));
          for (const [at, { values }] of keyed.entries()) {
            const [x, y] = keyed[at + 1]?.values ?? values;
            const order = compare(values[0], x) * first || compare(values[1], y) * second;
            expect(order).toBeLessThanOrEqual(0);
          }
        },
      ),
      500,
    );
  },
  propertyTimeoutMs,
);

it(
  'all keys of a prefix lie between it and its upper bound, and no others',
  () => {
    expectHolds(
      fc.property(hard, hard, hard, direction, (a, b, other, way) => {
        const prefix = bytesOf([a], [way]);
        const bound = keyUpperBound(prefix);
        const key = bytesOf([b, other], [way, way]);
        const inside = Buffer.compare(key, prefix) >= 0 && Buffer.compare(key, bound) < 0;
        expect(inside).toBe(compare(a, b) === 0);
      }),
      2_000,
    );
  },
  propertyTimeoutMs,
);
