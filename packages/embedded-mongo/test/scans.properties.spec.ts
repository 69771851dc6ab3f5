import { Decimal128, Double, Int32, Long } from 'bson';
import fc from 'fast-check';
import { plain, TestStore } from '../src/engine/testing/open-temp.js';
import type { FindSpec, Namespace } from '../src/engine/types.js';
import { decode } from '../src/values/bson.js';
import type { Doc, Value } from '../src/values/types.js';
import { matchesNaively } from './oracle/match.js';
import { sortNaively } from './oracle/sort.js';
import { expectHoldsAsync, propertyTimeoutMs } from './properties.js';

const ns: Namespace = { db: 'scans', coll: 'c' };
const collation: Doc = { locale: 'en', strength: 2 };

const long = 'long '.repeat(450);
const scalar: fc.Arbitrary<Value> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -2, max: 4 }).map((n): Value => new Int32(n)) },
  fc.constantFrom<Value>(new Double(1), new Double(-0.5), new Double(NaN), new Double(Infinity)),
  fc.constantFrom<Value>(
    Long.fromNumber(2),
    new Decimal128('2.0'),
    new Decimal128('-1E+3'),
    new Decimal128('NaN'),
  ),
  { weight: 2, arbitrary: fc.constantFrom<Value>('', 'a', 'A', 'b', 'B', 'ab', 'á') },
  fc.constantFrom<Value>(long, `${long}a`, `${long}b`, `${long}A`),
  { weight: 2, arbitrary: fc.constantFrom<Value>(null, true, false, new Date(5), new Date(-5)) },
);
const inner = fc.record({ x: scalar, y: scalar }, { requiredKeys: [], noNullPrototype: true });
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 7, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: inner },
  { weight: 1, arbitrary: fc.array(fc.oneof(inner, scalar), { maxLength: 3 }) },
);
const flat: fc.Arbitrary<Doc> = fc.record(
  { a: scalar, b: scalar, c: scalar },
  { requiredKeys: [], noNullPrototype: true },
);
const nested: fc.Arbitrary<Doc> = fc.record(
  { a: value, b: scalar, c: value },
  { requiredKeys: [], noNullPrototype: true },
);

const path = fc.constantFrom('a', 'b', 'c', 'a.x', 'a.y', 'c.x');
const order = fc.constantFrom('$gt', '$gte', '$lt', '$lte');
const condition: fc.Arbitrary<Value> = fc.oneof(
  { weight: 3, arbitrary: scalar },
  { weight: 2, arbitrary: fc.tuple(order, scalar).map(([name, x]): Value => ({ [name]: x })) },
  { weight: 2, arbitrary: fc.tuple(scalar, scalar).map(([x, y]): Value => ({ $gte: x, $lt: y })) },
  { weight: 2, arbitrary: fc.array(scalar, { maxLength: 4 }).map((list): Value => ({ $in: list })) },
  fc.array(scalar, { maxLength: 2 }).map((list): Value => ({ $nin: list })),
  scalar.map((x): Value => ({ $ne: x })),
  fc.boolean().map((x): Value => ({ $exists: x })),
  fc.tuple(scalar, scalar).map(([x, y]): Value => ({ $elemMatch: { $gte: x, $lte: y } })),
  fc.tuple(scalar, scalar).map(([x, y]): Value => ({ $elemMatch: { x, y: { $ne: y } } })),
  fc.tuple(order, scalar).map(([name, x]): Value => ({ $not: { [name]: x } })),
  fc.array(scalar, { maxLength: 2 }),
  inner,
);
const fields = fc
  .array(fc.tuple(path, condition), { maxLength: 3 })
  .map((entries): Doc => Object.fromEntries(entries));
const filter: fc.Arbitrary<Doc> = fc.oneof(
  { weight: 4, arbitrary: fields },
  { weight: 2, arbitrary: fc.tuple(fields, fields, fields).map(([x, y, z]): Doc => ({ $or: [x, y], ...z })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fields, fields).map(([x, y]): Doc => ({ $and: [x, { $or: [y, { b: 1 }] }] })),
  },
);

const direction = fc.constantFrom(1, -1);
const keyPattern = fc
  .array(fc.tuple(path, direction), { minLength: 1, maxLength: 3 })
  .map((entries): Doc => Object.fromEntries(entries));
const indexSpec: fc.Arbitrary<Doc> = fc
  .tuple(
    keyPattern,
    fc.constantFrom<Doc>(
      {},
      {},
      {},
      { unique: true },
      { sparse: true },
      { collation },
      { unique: true, sparse: true },
      { partialFilterExpression: { b: { $gt: 0 } } },
      { partialFilterExpression: { a: { $exists: true } }, unique: true },
    ),
  )
  .map(([key, options]) => ({ key, ...options }));

interface Query {
  filter: Doc;
  sort: Doc | undefined;
  skip: number;
  limit: number;
  collation: boolean;
}
const query: fc.Arbitrary<Query> = fc.record({
  filter,
  sort: fc.option(keyPattern, { nil: undefined }),
  skip: fc.oneof(fc.constant(0), fc.nat(4)),
  limit: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 6 })),
  collation: fc.boolean(),
});

interface Case {
  docs: Doc[];
  indexes: Doc[];
  queries: Query[];
}
const cases = (doc: fc.Arbitrary<Doc>): fc.Arbitrary<Case> =>
  fc.record({
    docs: fc.array(doc, { minLength: 1, maxLength: 16 }),
    indexes: fc.array(indexSpec, { minLength: 1, maxLength: 4 }),
    queries: fc.array(query, { minLength: 4, maxLength: 8 }),
  });

let store: TestStore;

beforeAll(async () => {
  store = await TestStore.open();
});
afterAll(() => store.destroy());

/** Recreates the collection, without documents that an index rejects. */
const prepare = async ({ docs, indexes }: Pick<Case, 'docs' | 'indexes'>): Promise<string[]> => {
  await store.engine.dropCollection(ns, {});
  await store.engine.createCollection(ns, {}, {});
  for (const [at, spec] of indexes.entries())
    await store.engine.createIndexes(ns, [{ ...spec, name: `index ${at}` }], {}).catch((error: unknown) => {
      expect([67, 85, 86]).toContain((error as { code: number }).code);
    });
  await store.insert(
    ns,
    docs.map((doc, _id) => ({ _id, ...doc })),
    {},
    false,
  );
  return store.engine.collection(ns)?.indexes.map(({ name }) => name) ?? [];
};

/** Undefined if the documents cannot be sorted because two of their sort fields are arrays. */
const find = (filter: Doc, spec: Partial<FindSpec>): Promise<Doc[] | undefined> =>
  store.find(ns, filter, spec).catch((error: unknown) => {
    expect(error).toMatchObject({ message: expect.stringMatching(/parallel arrays/) as string });
    return undefined;
  });

const idOf = (doc: Doc): number => plain(doc['_id']) as number;
const ids = (docs: readonly Doc[]): number[] => docs.map(idOf);

/** Whether an index contains all documents. A hint for any other index finds only the documents in it. */
const isWhole = (name: string): boolean => {
  const spec = store.engine.collection(ns)?.indexes.find((index) => index.name === name);
  return spec?.sparse !== true && !spec?.partialFilterExpression;
};

const checkQuery = async (
  { filter, sort, skip, limit, collation: collated }: Query,
  indexes: readonly string[],
) => {
  const base: Partial<FindSpec> = collated ? { collation } : {};
  // Ties are broken by _id, so that there is exactly one correct order.
  const whole: Partial<FindSpec> = { ...base, ...(sort && { sort: { ...sort, _id: 1 } }) };
  const byScan = await find(filter, { ...whole, hint: { $natural: 1 } });
  if (!byScan) return;
  const part = byScan.slice(skip, limit === 0 ? undefined : skip + limit);
  for (const hint of [undefined, ...indexes]) {
    const hinted = hint === undefined ? {} : { hint };
    const found = await find(filter, { ...whole, ...hinted });
    if (!found) continue;
    const name = JSON.stringify({ hint, filter, whole });
    if (hint !== undefined && !isWhole(hint)) {
      expect(new Set(ids(byScan))).toEqual(new Set([...ids(byScan), ...ids(found)]));
      continue;
    }
    expect([name, sort ? ids(found) : ids(found).sort((a, b) => a - b)]).toEqual([name, ids(byScan)]);
    expect(await store.engine.count(ns, { filter, ...base, ...hinted }, {})).toBe(byScan.length);
    if (!sort) continue;
    const some = await find(filter, { ...whole, ...hinted, skip, limit });
    expect([name, ids(some ?? [])]).toEqual([name, ids(part)]);
  }
  if (!collated) {
    const all = await store.find(ns, {}, { hint: { $natural: 1 } });
    expect(ids(byScan).sort((a, b) => a - b)).toEqual(ids(all.filter((doc) => matchesNaively(filter, doc))));
  }
};

describe('index scans return the same documents in the same order as collection scans', () => {
  const check = async (made: Case): Promise<void> => {
    const indexes = await prepare(made);
    for (const one of made.queries) await checkQuery(one, indexes);
    expect(await store.engine.validate(ns, {})).toMatchObject({ errors: [] });
  };

  it(
    'for flat documents',
    () => expectHoldsAsync(fc.asyncProperty(cases(flat), check), 30),
    propertyTimeoutMs,
  );

  it(
    'for arrays and embedded documents',
    () => expectHoldsAsync(fc.asyncProperty(cases(nested), check), 40),
    propertyTimeoutMs,
  );
});

describe('cursors with tiny batches during concurrent writes', () => {
  const other = fc.record({
    doc: nested,
    kind: fc.constantFrom('insert', 'update', 'remove'),
    at: fc.nat(7),
  });

  /**
   * Documents with ids from 1,000 belong to the concurrent writers, who insert and delete them. All others
   * are never changed, and each must be found exactly once.
   */
  const check = async (made: Case, batchSize: number, others: { doc: Doc; kind: string; at: number }[]) => {
    await prepare(made);
    const write = async ({ doc, kind, at }: (typeof others)[number]): Promise<void> => {
      const _id = 1_000 + at;
      if (kind === 'remove') await store.remove(ns, { _id });
      else if (kind === 'insert') await store.insert(ns, [{ _id, ...doc }], {}, false);
      else await store.update(ns, { _id }, { ...doc }).catch(() => undefined);
    };
    for (const [at, { doc }] of others.entries())
      await store.insert(ns, [{ _id: 1_000 + at, ...doc }], {}, false);
    for (const { filter, sort } of made.queries) {
      const mine: Doc = { $and: [filter, { _id: { $lt: 1_000 } }] };
      const spec = sort ? { sort: { ...sort, _id: 1 } } : {};
      const expected = await find(mine, spec);
      if (!expected) continue;
      const cursor = store.engine.find(ns, { filter, ...spec }, {});
      const found: number[] = [];
      let turn = 0;
      try {
        for (let done = false; !done;) {
          const batch = await cursor.next(batchSize);
          found.push(...ids(batch.docs.map(decode)));
          ({ done } = batch);
          const next = others[turn++ % others.length];
          if (next) await write(next);
        }
      } catch (error) {
        // A document of the concurrent writers cannot be sorted.
        expect(error).toMatchObject({ message: expect.stringMatching(/parallel arrays/) as string });
        continue;
      }
      const kept = found.filter((id) => id < 1_000);
      const name = JSON.stringify({ filter, spec });
      expect([name, sort ? kept : kept.sort((a, b) => a - b)]).toEqual([
        name,
        sort ? ids(expected) : ids(expected).sort((a, b) => a - b),
      ]);
    }
    expect(await store.engine.validate(ns, {})).toMatchObject({ errors: [] });
  };

  it(
    'return every unchanged document once and in order',
    () =>
      expectHoldsAsync(
        fc.asyncProperty(
          cases(nested),
          fc.integer({ min: 1, max: 3 }),
          fc.array(other, { minLength: 1, maxLength: 8 }),
          check,
        ),
        40,
      ),
    propertyTimeoutMs,
  );
});

describe('sorts', () => {
  const sorted = fc.record({ a: value, b: scalar, c: inner }, { requiredKeys: [], noNullPrototype: true });
  const sort = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c.x', 'c.y'), direction), {
    minLength: 1,
    maxLength: 3,
    selector: ([name]) => name,
  });

  it(
    'give the same order as naive ones, with and without an index',
    () =>
      expectHoldsAsync(
        fc.asyncProperty(
          fc.array(sorted as fc.Arbitrary<Doc>, { minLength: 1, maxLength: 12 }),
          sort,
          async (docs, wanted) => {
            await prepare({ docs, indexes: [{ key: Object.fromEntries(wanted) }] });
            const spec: Doc = { ...(Object.fromEntries(wanted) as Doc), _id: 1 };
            const expected = sortNaively(
              docs.map((doc, _id): Doc => ({ _id: new Int32(_id), ...doc })),
              [...wanted, ['_id', 1]],
            );
            for (const hint of [{ $natural: 1 }, 'index 0'])
              expect(ids((await find({}, { sort: spec, hint })) ?? [])).toEqual(ids(expected));
          },
        ),
        80,
      ),
    propertyTimeoutMs,
  );
});
