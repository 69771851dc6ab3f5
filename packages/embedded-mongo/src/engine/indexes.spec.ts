import type { Doc } from '../values/bson.js';
import { plain, TestStore } from './testing/open-temp.js';
import type { Namespace } from './types.js';

const ns: Namespace = { db: 'd', coll: 'c' };

describe('indexes', () => {
  let store: TestStore;
  const create = (...specs: Doc[]) => store.engine.createIndexes(ns, specs, {});
  const plan = (filter: Doc, sort?: Doc) =>
    store.engine.explain(ns, sort ? { filter, sort } : { filter }, {});

  beforeEach(async () => {
    store = await TestStore.open();
  });

  afterEach(() => store.destroy());

  it('are built on existing documents and used', async () => {
    await store.insert(
      ns,
      Array.from({ length: 3_000 }, (_, i) => ({ _id: i, a: i % 10, b: -i })),
    );
    expect(await create({ key: { a: 1, b: -1 } })).toEqual({ createdCollection: false, before: 1, after: 2 });
    expect(plan({ a: 3, b: { $lt: -2_900 } })).toMatchObject({
      stage: 'IXSCAN',
      indexName: 'a_1_b_-1',
      indexBounds: { a: ['[3, 3]'], b: ['(-2900, -inf.0]'] },
    });
    expect(await store.ids(ns, { a: 3, b: { $lt: -2_900 } })).toEqual(
      Array.from({ length: 10 }, (_, i) => 2_903 + i * 10),
    );
    await store.reopen();
    expect(plan({ a: 3 })).toMatchObject({ indexName: 'a_1_b_-1' });
    expect(await store.ids(ns, { a: 3, b: { $lt: -2_900 } })).toHaveLength(10);
  });

  it('are maintained while they are built', async () => {
    await store.insert(
      ns,
      Array.from({ length: 4_000 }, (_, i) => ({ _id: i, a: i })),
    );
    const building = create({ key: { a: 1 }, unique: true });
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      writes.push(store.update(ns, { _id: i * 60 }, { $inc: { a: 100_000 } }));
      writes.push(store.insert(ns, [{ _id: 10_000 + i, a: -i - 1 }]));
      writes.push(store.remove(ns, { _id: 3_999 - i }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all([building, ...writes]);
    const byScan = await store.find(ns, {}, { hint: { $natural: 1 }, sort: { a: 1 } });
    const natural = (await store.find(ns)).sort((x, y) => (plain(x.a) as number) - (plain(y.a) as number));
    const byIndex = await store.find(ns, {}, { hint: 'a_1', sort: { a: 1 } });
    expect(plain(byIndex)).toEqual(plain(natural));
    expect(plain(byScan)).toEqual(plain(natural));
  });

  it('creating the same index again is a no-op; the same name or key with other options is a conflict', async () => {
    await create({ key: { a: 1 }, name: 'x' });
    expect(await create({ key: { a: 1 }, name: 'x' })).toMatchObject({ before: 2, after: 2 });
    await expect(create({ key: { b: 1 }, name: 'x' })).rejects.toMatchObject({ code: 86 });
    await expect(create({ key: { a: 1 }, name: 'x', unique: true })).rejects.toMatchObject({ code: 86 });
    await expect(create({ key: { a: 1 }, name: 'y' })).rejects.toMatchObject({ code: 85 });
    expect(await create({ key: { a: -1 } })).toMatchObject({ after: 3 });
  });

  it('unique: reject duplicates on insert, update and build, and leave no partial index', async () => {
    await store.insert(ns, [
      { _id: 1, a: 'x', b: 1 },
      { _id: 2, a: 'x', b: 2 },
    ]);
    await expect(create({ key: { b: 1 } }, { key: { a: 1 }, unique: true })).rejects.toMatchObject({
      code: 11000,
      message: 'E11000 duplicate key error collection: d.c index: a_1 dup key: { a: "x" }',
    });
    expect(store.engine.collection(ns)!.indexes.map((index) => index.name)).toEqual(['_id_']);
    await store.engine.sweep();
    await create({ key: { a: 1, b: 1 }, unique: true });
    const { writeErrors } = await store.insert(ns, [{ _id: 3, a: 'x', b: 2 }]);
    expect(writeErrors[0]).toMatchObject({
      code: 11000,
      errmsg: 'E11000 duplicate key error collection: d.c index: a_1_b_1 dup key: { a: "x", b: 2 }',
    });
    expect(plain(writeErrors[0]!.keyValue)).toEqual({ a: 'x', b: 2 });
    expect((await store.update(ns, { _id: 1 }, { $set: { b: 2 } })).writeErrors[0]).toMatchObject({
      code: 11000,
    });
    expect(await store.update(ns, { _id: 1 }, { $set: { b: 5 } })).toMatchObject({ nModified: 1 });
    expect(await store.insert(ns, [{ _id: 4, a: 'x', b: 1 }])).toMatchObject({ n: 1 });
  });

  it('unique: null counts as a value, unless the index is sparse or partial', async () => {
    await create({ key: { u: 1 }, unique: true });
    await create({ key: { s: 1 }, unique: true, sparse: true });
    await create({ key: { p: 1 }, unique: true, partialFilterExpression: { p: { $exists: true } } });
    expect(await store.insert(ns, [{ _id: 1 }, { _id: 2, u: 1 }])).toMatchObject({ n: 2 });
    const { writeErrors } = await store.insert(ns, [{ _id: 3 }]);
    expect(writeErrors[0]).toMatchObject({
      code: 11000,
      errmsg: expect.stringContaining('dup key: { u: null }'),
    });
    await store.insert(ns, [{ _id: 4, u: 4, p: 'x', s: 'x' }]);
    expect((await store.insert(ns, [{ _id: 5, u: 5, p: 'x' }])).writeErrors[0]).toMatchObject({
      code: 11000,
    });
    expect((await store.insert(ns, [{ _id: 6, u: 6, s: 'x' }])).writeErrors[0]).toMatchObject({
      code: 11000,
    });
  });

  it('unique multikey: an element may occur in only one document, but several times in it', async () => {
    await create({ key: { tags: 1 }, unique: true });
    expect(await store.insert(ns, [{ _id: 1, tags: ['a', 'b', 'a'] }])).toMatchObject({ n: 1 });
    expect((await store.insert(ns, [{ _id: 2, tags: ['c', 'b'] }])).writeErrors[0]).toMatchObject({
      code: 11000,
    });
    expect(await store.insert(ns, [{ _id: 2, tags: ['c'] }])).toMatchObject({ n: 1 });
    await store.update(ns, { _id: 1 }, { $pull: { tags: 'a' } });
    expect(await store.update(ns, { _id: 2 }, { $push: { tags: 'a' } })).toMatchObject({ nModified: 1 });
    expect(await store.ids(ns, { tags: 'a' })).toEqual([2]);
  });

  it('partial: used only when the filter implies the expression', async () => {
    await create({ key: { a: 1 }, partialFilterExpression: { active: true, n: { $gt: 5 } } });
    await store.insert(ns, [
      { _id: 1, a: 1, active: true, n: 9 },
      { _id: 2, a: 1, active: false, n: 9 },
      { _id: 3, a: 1, active: true, n: 1 },
    ]);
    expect(plan({ a: 1 })).toMatchObject({ stage: 'COLLSCAN' });
    expect(plan({ a: 1, active: true, n: { $gt: 4 } })).toMatchObject({ stage: 'COLLSCAN' });
    expect(plan({ a: 1, active: true, n: { $gte: 6 } })).toMatchObject({ stage: 'IXSCAN' });
    expect(await store.ids(ns, { a: 1 })).toEqual([1, 2, 3]);
    expect(await store.ids(ns, { a: 1, active: true, n: { $gte: 6 } })).toEqual([1]);
    await store.update(ns, { _id: 2 }, { $set: { active: true } });
    expect(await store.ids(ns, { a: 1, active: true, n: 9 })).toEqual([1, 2]);
  });

  it('sparse: not used where it would miss documents', async () => {
    await create({ key: { a: 1 }, sparse: true });
    await store.insert(ns, [{ _id: 1 }, { _id: 2, a: 2 }, { _id: 3, a: null }]);
    expect(await store.ids(ns, { a: null })).toEqual([1, 3]);
    expect(await store.ids(ns, {}, { sort: { a: 1 } })).toHaveLength(3);
    expect(plan({ a: { $gt: 1 } })).toMatchObject({ stage: 'IXSCAN' });
    expect(plan({ a: { $exists: true } }, { a: 1 })).toMatchObject({ stage: 'IXSCAN' });
    expect(await store.ids(ns, { a: { $exists: true } }, { sort: { a: 1 } })).toEqual([3, 2]);
  });

  it('multikey: remembered across a reopen; bounds from one predicate only; provides no order', async () => {
    await create({ key: { a: 1 } });
    await store.insert(ns, [
      { _id: 1, a: [1, 9] },
      { _id: 2, a: 5 },
    ]);
    await store.reopen();
    expect(await store.ids(ns, { a: { $gt: 4, $lt: 6 } }, { sort: { _id: 1 } })).toEqual([1, 2]);
    expect(await store.ids(ns, { a: { $elemMatch: { $gt: 4, $lt: 6 } } })).toEqual([]);
    expect(plan({}, { a: 1 })).toMatchObject({ stage: 'COLLSCAN', blockingSort: true });
    expect(await store.ids(ns, { a: { $gte: 0 } })).toEqual([1, 2]);
  });

  it('support values longer than LMDB keys', async () => {
    await create({ key: { a: 1 } }, { key: { b: 1 }, unique: true });
    const long = (end: string) => 'x'.repeat(5_000) + end;
    await store.insert(
      ns,
      ['c', 'a', 'b'].map((end, i) => ({ _id: i, a: long(end), b: long(end) })),
    );
    expect(await store.ids(ns, { a: long('b') })).toEqual([2]);
    expect(await store.ids(ns, { a: { $gt: long('a') } }, { sort: { a: 1 } })).toEqual([2, 0]);
    expect(await store.ids(ns, { a: { $lt: long('b'), $gt: 'x' } })).toEqual([1]);
    expect((await store.insert(ns, [{ _id: 9, b: long('b') }])).writeErrors[0]).toMatchObject({
      code: 11000,
    });
    await store.update(ns, { _id: 2 }, { $set: { b: long('z') } });
    expect(await store.insert(ns, [{ _id: 9, b: long('b') }])).toMatchObject({ n: 1 });
  });

  it('with a collation: used for the same collation only', async () => {
    const collation = { locale: 'en', strength: 2 };
    await create({ key: { name: 1 }, collation });
    await store.insert(ns, [
      { _id: 1, name: 'Ann' },
      { _id: 2, name: 'ann' },
      { _id: 3, name: 'Bob' },
    ]);
    expect(plan({ name: 'ann' })).toMatchObject({ stage: 'COLLSCAN' });
    expect(store.engine.explain(ns, { filter: { name: 'ann' }, collation }, {})).toMatchObject({
      stage: 'IXSCAN',
    });
    expect(await store.ids(ns, { name: 'ANN' }, { collation })).toEqual([1, 2]);
    expect(await store.ids(ns, { name: 'ann' })).toEqual([2]);
  });

  it('TTL: removes what has expired, and nothing else', async () => {
    await create({ key: { at: 1 }, expireAfterSeconds: 60 });
    const at = (seconds: number) => new Date(store.time + seconds * 1_000);
    await store.insert(ns, [
      { _id: 1, at: at(0) },
      { _id: 2, at: at(30) },
      { _id: 3 },
      { _id: 4, at: 'never' },
      { _id: 5, at: [at(500), at(-10)] },
    ]);
    await store.engine.sweep();
    expect(await store.ids(ns)).toEqual([1, 2, 3, 4, 5]);
    store.time += 60_000;
    await store.engine.sweep();
    expect(await store.ids(ns)).toEqual([2, 3, 4]);
    await store.engine.modifyCollection(ns, { index: { keyPattern: { at: 1 }, expireAfterSeconds: 1 } }, {});
    await store.reopen();
    await store.engine.sweep();
    expect(await store.ids(ns)).toEqual([3, 4]);
  });

  it('hidden: maintained but not used until unhidden', async () => {
    await create({ key: { a: 1 }, hidden: true });
    await store.insert(ns, [{ _id: 1, a: 1 }]);
    expect(plan({ a: 1 })).toMatchObject({ stage: 'COLLSCAN' });
    await store.engine.modifyCollection(ns, { index: { name: 'a_1', hidden: false } }, {});
    expect(plan({ a: 1 })).toMatchObject({ stage: 'IXSCAN' });
    expect(await store.ids(ns, { a: 1 })).toEqual([1]);
  });

  it('are dropped by name, key or all; _id_ never', async () => {
    await create({ key: { a: 1 } }, { key: { b: 1 } }, { key: { c: 1 } });
    expect(await store.engine.dropIndexes(ns, 'a_1', {})).toEqual({ nIndexesWas: 4 });
    expect(await store.engine.dropIndexes(ns, { b: 1 }, {})).toEqual({ nIndexesWas: 3 });
    await expect(store.engine.dropIndexes(ns, 'a_1', {})).rejects.toMatchObject({ code: 27 });
    await expect(store.engine.dropIndexes(ns, '_id_', {})).rejects.toMatchObject({ code: 72 });
    expect(await store.engine.dropIndexes(ns, '*', {})).toEqual({ nIndexesWas: 2 });
    expect(store.engine.collection(ns)!.indexes).toHaveLength(1);
  });

  it('reject unsupported kinds', async () => {
    await expect(create({ key: { a: 'tree' } })).rejects.toMatchObject({ code: 67 });
    await expect(create({ key: { a: 1, '$**': 1 } })).rejects.toMatchObject({ code: 115 });
    await expect(create({ key: { a: 1, b: 1 }, expireAfterSeconds: 5 })).rejects.toMatchObject({ code: 67 });
    await expect(create({ key: {} })).rejects.toMatchObject({ code: 67 });
    expect(store.engine.collection(ns)).toBeUndefined();
  });
});
