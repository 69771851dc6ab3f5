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
import { newDoc } from '../src/values/types.js';
import type { Doc, Value } from '../src/values/types.js';

const int32 = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.integer()).map((n): Value => new Int32(n));
const int64 = fc
  .oneof(
    fc.bigInt({ min: -5n, max: 5n }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    nearPowers(),
  )
  .map((n): Value => Long.fromBigInt(n));
const float = fc
  .oneof(
    fc.integer({ min: -5, max: 5 }),
    fc.double(),
    nearPowers().map(Number),
    fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 0.1, -0.1, 5e-324),
  )
  .map((n): Value => new Double(n));

function nearPowers(): fc.Arbitrary<bigint> {
  return fc
    .tuple(
      fc.constantFrom(2n ** 53n, 2n ** 62n, -(2n ** 53n), -(2n ** 62n)),
      fc.bigInt({ min: -3n, max: 3n }),
    )
    .map(([power, near]) => power + near);
}

const decimal = fc
  .oneof(
    fc.constantFrom(
      'NaN',
      'Infinity',
      '-Infinity',
      '0',
      '-0',
      '0.1',
      '-0.1',
      '1E+6000',
      '1E-6000',
      '-1E-6000',
      '5.0',
    ),
    fc
      .tuple(fc.bigInt({ min: -(10n ** 33n), max: 10n ** 33n }), fc.integer({ min: -40, max: 40 }))
      .map(([digits, exponent]) => `${digits}E${exponent}`),
    fc.integer({ min: -5, max: 5 }).map(String),
    nearPowers().map(String),
  )
  .map((text): Value => Decimal128.fromString(text));

/** Numbers of all four types, many of them equal or next to each other. */
export const numeric: fc.Arbitrary<Value> = fc.oneof(int32, int64, float, decimal);

const text = fc.oneof(
  fc.constantFrom('', 'a', 'A', 'ab', 'b', '\0', 'a\0', 'a\0b', 'é', '\uffff', '😀', '\ue000'),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const cstring = text.map((value) => value.replaceAll('\0', ''));
const binary = fc
  .tuple(fc.uint8Array({ maxLength: 6 }), fc.constantFrom(0, 2, 4, 5, 128))
  .map(([bytes, subtype]): Value => new Binary(Buffer.from(bytes), subtype));
const objectId = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((bytes): Value => new ObjectId(Buffer.from(bytes)));
const timestamp = fc
  .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0xffffffff }))
  .map(([t, i]): Value => new Timestamp({ t, i }));
const regex = fc
  .tuple(cstring, fc.constantFrom('', 'i', 'im', 's'))
  .map(([pattern, options]): Value => new BSONRegExp(pattern, options));

export const scalar: fc.Arbitrary<Value> = fc.oneof(
  { weight: 4, arbitrary: numeric },
  { weight: 3, arbitrary: text },
  fc.boolean(),
  fc.constant(null),
  fc.date({ noInvalidDate: true }),
  objectId,
  binary,
  timestamp,
  regex,
  text.map((value): Value => new BSONSymbol(value)),
  text.map((value): Value => new Code(value)),
  fc.constantFrom<Value>(new MinKey(), new MaxKey()),
);

const fieldName = fc.oneof(
  fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'toString', '_bsontype', '$ref', '$id'),
  cstring.filter((name) => !/^\d+$/.test(name)),
);

const docOf = (fields: [string, Value][]): Doc => {
  const doc = newDoc();
  for (const [name, value] of fields) doc[name] = value;
  return doc;
};

const tree = fc.letrec<{ value: Value; doc: Doc }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 6, arbitrary: scalar },
    { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 4 }) },
    { weight: 1, arbitrary: tie('doc') },
    { weight: 1, arbitrary: fc.tuple(text, tie('doc')).map(([code, scope]): Value => new Code(code, scope)) },
  ),
  doc: fc.array(fc.tuple(fieldName, tie('value')), { maxLength: 4 }).map(docOf),
}));

/** Values of every BSON type except the deprecated undefined and DBPointer, nested a few levels. */
export const anyValue: fc.Arbitrary<Value> = tree.value;

export const anyDoc: fc.Arbitrary<Doc> = tree.doc;
