import fc from 'fast-check';
import { compileSort } from '../query/sort.js';
import type { Doc } from '../values/bson.js';
import { plain, TestStore } from './testing/open-temp.js';
import type { Namespace } from './types.js';

const ns: Namespace = { db: 'd', coll: 'c' };

describe('the planner', () => {
  let store: TestStore;
  const plan = (filter: Doc, more: { sort?: Doc; hint?: string | Doc } = {}) =>
    store.engine.explain(ns, { filter, ...more }, {});

  beforeEach(async () => {
    store = await TestStore.open();
  });

  afterEach(() => store.destroy());

  it('prefers unique equality, then more equalities, then ranges, then order', async () => {
    await store.engine.createIndexes(
      ns,
      [
        { key: { t: 1, p: 1, at: -1 } },
        { key: { t: 1, at: -1 } },
        { key: { t: 1, ext: 1 }, unique: true },
        { key: { at: -1 } },
      ],
      {},
    );
    expect(plan({ _id: 1 })).toMatchObject({ stage: 'IDHACK' });
    expect(plan({ t: 1, ext: 'x', p: 2 })).toMatchObject({ indexName: 't_1_ext_1' });
    expect(plan({ t: 1, p: 2 }, { sort: { at: -1 } })).toMatchObject({
      indexName: 't_1_p_1_at_-1',
      direction: 'forward',
      blockingSort: false,
    });
    expect(plan({ t: 1 }, { sort: { at: 1 } })).toMatchObject({
      indexName: 't_1_at_-1',
      direction: 'backward',
      blockingSort: false,
    });
    expect(plan({ t: 1, at: { $gte: 5 } }, { sort: { at: -1 } })).toMatchObject({
      indexName: 't_1_at_-1',
      indexBounds: { t: ['[1, 1]'], at: ['[inf.0, 5]'] },
    });
    expect(plan({ x: 1 }, { sort: { at: -1 } })).toMatchObject({ indexName: 'at_-1', blockingSort: false });
    expect(plan({ x: 1 })).toMatchObject({ stage: 'COLLSCAN' });
    expect(plan({ t: 1, p: { $in: [1, 2] } }, { sort: { at: -1 } })).toMatchObject({
      indexName: 't_1_p_1_at_-1',
      blockingSort: false,
    });
    expect(plan({ t: 1, p: 2 }, { sort: { x: 1 } })).toMatchObject({ blockingSort: true });
  });

  it('prefers a list of unique keys to an equality that many documents share', async () => {
    await store.engine.createIndexes(
      ns,
      [{ key: { t: 1, at: -1, _id: -1 } }, { key: { t: 1, ext: 1 }, unique: true }, { key: { t: 1, p: 1 } }],
      {},
    );
    expect(plan({ t: 1, _id: { $in: [1, 2] } })).toMatchObject({ indexName: '_id_' });
    expect(plan({ t: 1, p: 1, ext: { $in: ['x', 'y'] } })).toMatchObject({ indexName: 't_1_ext_1' });
    // A range of unique keys can contain any number of documents.
    expect(plan({ t: 1, p: 1, _id: { $gt: 1 } })).toMatchObject({ indexName: 't_1_p_1' });
  });

  it('prefers an equality with a value to one with a boolean, regardless of which index is older', async () => {
    await store.engine.createIndexes(
      ns,
      [{ key: { t: 1, isOpen: 1, at: -1 } }, { key: { t: 1, p: 1, at: -1 } }, { key: { t: 1, isNew: 1 } }],
      {},
    );
    const sort = { at: -1 };
    expect(plan({ t: 1, p: 2, isOpen: true }, { sort })).toMatchObject({ indexName: 't_1_p_1_at_-1' });
    expect(plan({ t: 1, p: 2, isNew: true }, { sort })).toMatchObject({ indexName: 't_1_p_1_at_-1' });
    expect(plan({ t: 1, isOpen: false, isNew: true })).toMatchObject({ indexName: 't_1_isNew_1' });
    expect(plan({ t: 1, isOpen: true }, { sort })).toMatchObject({ indexName: 't_1_isOpen_1_at_-1' });
  });

  it('uses a union of indexes for $or, unless a branch has no index', async () => {
    await store.engine.createIndexes(ns, [{ key: { a: 1 } }, { key: { b: 1 } }], {});
    expect(plan({ $or: [{ a: 1 }, { b: 2 }] })).toMatchObject({
      stage: 'OR',
      inputs: [{ indexName: 'a_1' }, { indexName: 'b_1' }],
    });
    expect(plan({ $or: [{ a: 1 }, { c: 2 }] })).toMatchObject({ stage: 'COLLSCAN' });
    await store.insert(ns, [
      { _id: 1, a: 1, b: 2 },
      { _id: 2, a: 1 },
      { _id: 3, b: 2 },
      { _id: 4, b: 3 },
    ]);
    expect(await store.ids(ns, { $or: [{ a: 1 }, { b: 2 }] })).toEqual([1, 2, 3]);
  });

  it('follows a hint and rejects an unknown one', async () => {
    await store.engine.createIndexes(ns, [{ key: { a: 1 } }, { key: { b: 1 } }], {});
    expect(plan({ a: 1 }, { hint: 'b_1' })).toMatchObject({ indexName: 'b_1' });
    expect(plan({ a: 1 }, { hint: { b: 1 } })).toMatchObject({ indexName: 'b_1' });
    expect(plan({ a: 1 }, { hint: { $natural: 1 } })).toMatchObject({ stage: 'COLLSCAN' });
    expect(() => plan({ a: 1 }, { hint: 'zzz' })).toThrow(expect.objectContaining({ code: 2 }) as Error);
  });

  it('examines only the keys and documents that it needs', async () => {
    await store.engine.createIndexes(ns, [{ key: { a: 1, n: 1 } }], {});
    await store.insert(
      ns,
      Array.from({ length: 200 }, (_, i) => ({ _id: i, a: i % 4, n: i })),
    );
    const cursor = store.engine.find(
      ns,
      { filter: { a: 1, n: { $gte: 100, $lt: 120 } }, sort: { n: 1 } },
      {},
    );
    await cursor.next(100);
    expect(cursor.stats).toEqual({ keysExamined: 5, docsExamined: 5, matched: 5, nReturned: 5 });
    const first = store.engine.find(ns, { filter: { a: { $in: [0, 1, 2] } }, sort: { n: -1 }, limit: 3 }, {});
    const { docs } = await first.next(3);
    expect(docs).toHaveLength(3);
    expect(first.stats.docsExamined).toBe(3);
    expect(await store.ids(ns, { a: { $in: [0, 1, 2] } }, { sort: { n: -1 }, limit: 3 })).toEqual([
      198, 197, 196,
    ]);
  });
});

const scalar = fc.oneof(
  fc.integer({ min: -3, max: 6 }),
  fc.constantFrom<Doc[string]>(null, 'a', 'b', 'ab', '', true, false, new Date(5), 2.5, -0.5, NaN),
);
const value: fc.Arbitrary<Doc[string]> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.record({ x: scalar, y: scalar }, { requiredKeys: [] }) },
  {
    weight: 1,
    arbitrary: fc.array(fc.record({ x: scalar, y: scalar }, { requiredKeys: [] }), { maxLength: 2 }),
  },
);
const flat = fc.record({ a: scalar, b: scalar, c: scalar }, { requiredKeys: [] });
const nested = fc.record({ a: value, b: scalar, c: value }, { requiredKeys: [] });

const path = fc.constantFrom('a', 'b', 'c', 'a.x', 'a.y', 'c.x');
const condition: fc.Arbitrary<Doc[string]> = fc.oneof(
  scalar,
  fc.record({ $gt: scalar }),
  fc.record({ $gte: scalar, $lt: scalar }),
  fc.record({ $lte: scalar }),
  fc.record({ $in: fc.array(scalar, { maxLength: 3 }) }),
  fc.record({ $ne: scalar }),
  fc.record({ $exists: fc.boolean() }),
  fc.record({ $elemMatch: fc.record({ $gte: scalar, $lt: scalar }) }),
  fc.record({ $elemMatch: fc.record({ x: scalar, y: scalar }) }),
  fc.constant<Doc[string]>([1, 2]),
  fc.record({ x: scalar }, { requiredKeys: [] }),
);
const fields = fc
  .array(fc.tuple(path, condition), { minLength: 0, maxLength: 3 })
  .map((entries): Doc => Object.fromEntries(entries));
const filter: fc.Arbitrary<Doc> = fc.oneof(
  { weight: 4, arbitrary: fields },
  { weight: 1, arbitrary: fc.tuple(fields, fields, fields).map(([x, y, z]): Doc => ({ $or: [x, y], ...z })) },
);
const direction = fc.constantFrom(1, -1);
const keyPattern = fc
  .array(fc.tuple(path, direction), { minLength: 1, maxLength: 3 })
  .map((entries): Doc => Object.fromEntries(entries));
const indexSpec: fc.Arbitrary<Doc> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ key: keyPattern }) },
  { weight: 1, arbitrary: fc.record({ key: keyPattern, sparse: fc.constant(true) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      key: keyPattern,
      partialFilterExpression: fc.constantFrom<Doc>({ b: { $gt: 0 } }, { a: { $exists: true } }, { b: 1 }),
    }),
  },
);
const sort = fc.option(keyPattern, { nil: undefined });

interface Case {
  docs: Doc[];
  indexes: Doc[];
  queries: { filter: Doc; sort?: Doc }[];
}

/**
 * Index scans must return the same documents as a collection scan, in the same order as far as the sort
 * determines it.
 */
const check = async (store: TestStore, { docs, indexes, queries }: Case, inTransaction: boolean) => {
  await store.engine.dropCollection(ns, {});
  await store.engine.createCollection(ns, {}, {});
  for (const spec of indexes) {
    try {
      await store.engine.createIndexes(ns, [spec], {});
    } catch (error) {
      expect([67, 85, 86]).toContain((error as { code: number }).code);
    }
  }
  const half = inTransaction ? docs.length >> 1 : docs.length;
  await store.insert(
    ns,
    docs.slice(0, half).map((doc, i) => ({ _id: i, ...doc })),
    {},
    false,
  );
  const txn = inTransaction
    ? store.engine.beginTransaction({ lsid: 'p', txnNumber: BigInt(++checks) })
    : undefined;
  const ctx = txn ? { txn } : {};
  try {
    for (const [i, doc] of docs.slice(half).entries()) {
      await store.insert(ns, [{ _id: half + i, ...doc }], ctx).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 171 });
      });
    }
    for (const query of queries) {
      const spec = query.sort ? { sort: query.sort } : {};
      const byScan = await store
        .find(ns, query.filter, { ...spec, hint: { $natural: 1 } }, ctx)
        .catch((error: unknown) =>
          expect(error).toMatchObject({ message: expect.stringContaining('parallel') }),
        );
      // Documents with arrays in two sort fields cannot be sorted.
      if (!byScan) continue;
      const byPlan = await store.find(ns, query.filter, spec, ctx);
      const id = (doc: Doc) => plain(doc._id) as number;
      expect(byPlan.map(id).sort((a, b) => a - b)).toEqual(byScan.map(id).sort((a, b) => a - b));
      if (query.sort) {
        const order = compileSort(query.sort);
        const differing = byPlan.filter((doc, i) => order.compare(doc, byScan[i]!) !== 0);
        expect(differing).toEqual([]);
      }
      expect(await store.engine.count(ns, { filter: query.filter }, ctx)).toBe(byScan.length);
    }
  } finally {
    if (txn) store.engine.abortTransaction(txn);
  }
};

let checks = 0;

describe('index scans and collection scans agree', () => {
  let store: TestStore;

  beforeAll(async () => {
    store = await TestStore.open();
  });

  afterAll(() => store.destroy());

  const cases = (doc: fc.Arbitrary<Doc>) =>
    fc.record({
      docs: fc.array(doc, { minLength: 1, maxLength: 14 }),
      indexes: fc.array(indexSpec, { minLength: 1, maxLength: 3 }),
      queries: fc.array(
        fc
          .record({ filter, sort })
          .map(({ filter: f, sort: s }) => (s ? { filter: f, sort: s } : { filter: f })),
        { minLength: 4, maxLength: 8 },
      ),
    });

  it('for flat documents', async () => {
    await fc.assert(
      fc.asyncProperty(cases(flat as fc.Arbitrary<Doc>), (made) => check(store, made, false)),
      { numRuns: 120 },
    );
  }, 120_000);

  it('for documents with arrays and embedded documents', async () => {
    await fc.assert(
      fc.asyncProperty(cases(nested as fc.Arbitrary<Doc>), (made) => check(store, made, false)),
      { numRuns: 120 },
    );
  }, 120_000);

  it('inside transactions, with half of the documents written by the transaction', async () => {
    await fc.assert(
      fc.asyncProperty(cases(nested as fc.Arbitrary<Doc>), (made) => check(store, made, true)),
      { numRuns: 80 },
    );
  }, 120_000);
});
