import { Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId } from 'bson';
import fc from 'fast-check';
import { compileFilter } from '../src/query/matcher.js';
import { compareValues } from '../src/values/compare.js';
import { decode, encode } from '../src/values/bson.js';
import type { Doc, Value } from '../src/values/types.js';
import { anyValue } from './arbitrary.js';
import { matchesNaively } from './oracle/match.js';
import { compare } from './oracle/order.js';
import { expectHolds, propertyTimeoutMs } from './properties.js';

const id = new ObjectId('65f000000000000000000001');

/** A small set of values, so that many are equal, with each number in several types. */
const scalar = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }).map((n): Value => new Int32(n)) },
  fc.constantFrom<Value>(
    new Double(1),
    new Double(1.5),
    new Double(NaN),
    new Double(-0),
    new Double(Infinity),
  ),
  fc.constantFrom<Value>(Long.fromNumber(1), Long.fromString('9007199254740993'), new Double(2 ** 53)),
  fc.constantFrom<Value>(
    new Decimal128('1.0'),
    new Decimal128('NaN'),
    new Decimal128('1.5'),
    new Decimal128('-0'),
  ),
  { weight: 2, arbitrary: fc.constantFrom<Value>('', 'a', 'b', 'ab') },
  { weight: 2, arbitrary: fc.constant<Value>(null) },
  fc.boolean(),
  fc.constantFrom<Value>(new Date(0), new Date(1), id),
  fc.constantFrom<Value>(new MinKey(), new MaxKey()),
);

const tree = fc.letrec<{ value: Value; doc: Doc }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    { weight: 4, arbitrary: scalar },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
    { weight: 2, arbitrary: tie('doc') },
  ),
  doc: fc.dictionary(fc.constantFrom('x', 'y', '0'), tie('value'), { maxKeys: 2, noNullPrototype: true }),
}));

const doc: fc.Arbitrary<Doc> = fc.record(
  { a: tree.value, b: tree.value },
  { requiredKeys: [], noNullPrototype: true },
);

const path = fc.constantFrom(
  'a',
  'b',
  'a.x',
  'a.y',
  'b.x',
  'a.0',
  'a.1',
  'a.x.y',
  'a.0.x',
  'a.x.0',
  'a.y.x.0',
);

const comparison = fc.constantFrom('$gt', '$gte', '$lt', '$lte');
const one = (name: string, operand: Value): Doc => ({ [name]: operand });
const list = fc.array(tree.value, { maxLength: 3 });

const operators = fc.letrec<{ any: Doc }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    fc.tuple(fc.constantFrom('$eq', '$ne'), tree.value).map(([name, value]) => one(name, value)),
    fc.tuple(comparison, tree.value).map(([name, value]) => one(name, value)),
    fc.tuple(fc.constantFrom('$in', '$nin', '$all'), list).map(([name, values]) => one(name, values)),
    fc.boolean().map((value) => one('$exists', value)),
    fc.integer({ min: 0, max: 3 }).map((size) => one('$size', new Int32(size))),
    fc
      .constantFrom('number', 'int', 'double', 'string', 'array', 'object', 'null', 'bool')
      .map((type) => one('$type', type)),
    fc.integer({ min: 0, max: 1 }).map((rest) => one('$mod', [new Int32(2), new Int32(rest)])),
    fc.tuple(tie('any'), tie('any')).map(([x, y]): Doc => ({ $not: { ...x, ...y } })),
    fc
      .tuple(comparison, scalar, comparison, scalar)
      .map(([n, x, m, y]) => one('$elemMatch', { [n]: x, [m]: y })),
    fc
      .tuple(fc.constantFrom('x', 'y', '0'), tie('any'))
      .map(([name, test]) => one('$elemMatch', { [name]: test })),
  ),
}));

const operand = fc.oneof(
  path.map((name): Value => `$${name}`),
  tree.value.map((value): Value => ({ $literal: value })),
);
const expression = fc.letrec<{ any: Doc }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.oneof(comparison, fc.constantFrom('$eq', '$ne')), operand, operand)
        .map(([name, x, y]) => one(name, [x, y])),
    },
    fc.tuple(fc.constantFrom('$and', '$or'), tie('any'), tie('any')).map(([name, x, y]) => one(name, [x, y])),
    tie('any').map((x) => one('$not', [x])),
  ),
}));

/** A document to compare as a whole, which cannot be mistaken for a document of operators. */
const clause = fc.tuple(path, fc.oneof(operators.any, tree.value)).map(([name, test]) => one(name, test));
const filter = fc.letrec<{ any: Doc }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    { weight: 4, arbitrary: clause },
    fc.tuple(clause, clause).map(([x, y]): Doc => ({ ...x, ...y })),
    fc
      .tuple(fc.constantFrom('$and', '$or', '$nor'), fc.array(tie('any'), { minLength: 1, maxLength: 3 }))
      .map(([name, filters]) => one(name, filters)),
    expression.any.map((test) => one('$expr', test)),
  ),
}));

/** The form in which the server decodes it: names that look like array indexes are marked. */
const keyed = (made: Doc): Doc => decode(encode(made));

describe('the matcher agrees with a naive one', () => {
  it(
    'on random filters and documents',
    () => {
      expectHolds(
        fc.property(filter.any, fc.array(doc, { minLength: 4, maxLength: 8 }), (made, docs) => {
          const compiled = compileFilter(keyed(made));
          expect(docs.map((one) => compiled.matches(keyed(one)))).toEqual(
            docs.map((one) => matchesNaively(made, one)),
          );
        }),
        6_000,
      );
    },
    propertyTimeoutMs,
  );

  it(
    'on each operator separately',
    () => {
      expectHolds(
        fc.property(
          path,
          operators.any,
          fc.array(doc, { minLength: 4, maxLength: 8 }),
          (name, test, docs) => {
            const compiled = compileFilter(keyed({ [name]: test }));
            expect(docs.map((one) => compiled.matches(keyed(one)))).toEqual(
              docs.map((one) => matchesNaively({ [name]: test }, one)),
            );
          },
        ),
        6_000,
      );
    },
    propertyTimeoutMs,
  );
});

it(
  "the store's order and a naive one agree on values of all types",
  () => {
    expectHolds(
      fc.property(anyValue, anyValue, (a, b) => {
        expect(Math.sign(compareValues(a, b))).toBe(compare(a, b));
      }),
      5_000,
    );
  },
  propertyTimeoutMs,
);
