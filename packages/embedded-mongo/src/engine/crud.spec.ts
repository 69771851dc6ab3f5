import { encode } from '../values/bson.js';
import { plain, TestStore } from './testing/open-temp.js';
import type { Namespace } from './types.js';

const ns: Namespace = { db: 'shop', coll: 'items' };

describe('the storage engine', () => {
  let store: TestStore;

  beforeEach(async () => {
    store = await TestStore.open();
  });

  afterEach(() => store.destroy());

  it('returns the bytes that were inserted, in the order of insertion', async () => {
    const docs = [{ _id: 3, a: 'x' }, { _id: 1 }, { _id: 2, b: [1, { c: null }] }].map((doc) => encode(doc));
    expect(await store.engine.insert(ns, docs, true, {})).toEqual({ n: 3, writeErrors: [] });
    const cursor = store.engine.find(ns, { filter: {} }, {});
    const { docs: found, done } = await cursor.next(10);
    expect(done).toBe(true);
    expect(found.map((bytes) => Buffer.from(bytes))).toEqual(docs.map((bytes) => Buffer.from(bytes)));
  });

  it('adds an _id to a document without one and puts it first', async () => {
    await store.insert(ns, [{ a: 1 }, { a: 2, _id: 'x' }]);
    const found = await store.find(ns);
    expect(Object.keys(found[0]!)).toEqual(['_id', 'a']);
    expect(plain(found[0]!._id)).toMatch(/^[0-9a-f]{24}$/);
    expect(Object.keys(found[1]!)).toEqual(['_id', 'a']);
  });

  it('reports a duplicate _id as MongoDB does and stops there when ordered', async () => {
    const result = await store.insert(ns, [{ _id: 1 }, { _id: 1 }, { _id: 2 }]);
    expect(result.n).toBe(1);
    expect(result.writeErrors).toHaveLength(1);
    const [error] = result.writeErrors;
    expect(error).toMatchObject({
      index: 1,
      code: 11000,
      errmsg: 'E11000 duplicate key error collection: shop.items index: _id_ dup key: { _id: 1 }',
    });
    expect(plain(error!.keyPattern)).toEqual({ _id: 1 });
    expect(plain(error!.keyValue)).toEqual({ _id: 1 });
    expect(await store.insert(ns, [{ _id: 1 }, { _id: 2 }], {}, false)).toMatchObject({ n: 1 });
    expect(await store.ids(ns)).toEqual([1, 2]);
  });

  it('rejects an _id that is an array', async () => {
    const { writeErrors } = await store.insert(ns, [{ _id: [1] }]);
    expect(writeErrors[0]).toMatchObject({ code: 53 });
  });

  it('updates one, many or no documents and counts matched and modified separately', async () => {
    await store.insert(ns, [
      { _id: 1, a: 1, n: 0 },
      { _id: 2, a: 1, n: 0 },
      { _id: 3, a: 2, n: 5 },
    ]);
    expect(await store.update(ns, { a: 1 }, { $inc: { n: 1 } })).toMatchObject({ n: 1, nModified: 1 });
    expect(await store.update(ns, { a: 1 }, { $set: { n: 1 } }, { multi: true })).toMatchObject({
      n: 2,
      nModified: 1,
    });
    expect(await store.update(ns, { a: 9 }, { $set: { n: 1 } })).toMatchObject({ n: 0, nModified: 0 });
    expect(plain(await store.find(ns))).toEqual([
      { _id: 1, a: 1, n: 1 },
      { _id: 2, a: 1, n: 1 },
      { _id: 3, a: 2, n: 5 },
    ]);
  });

  it('replaces a document and keeps its _id; rejects a different _id', async () => {
    await store.insert(ns, [{ _id: 1, a: 1 }]);
    await store.update(ns, { _id: 1 }, { b: 2 });
    expect(plain(await store.find(ns))).toEqual([{ _id: 1, b: 2 }]);
    const { writeErrors } = await store.update(ns, { _id: 1 }, { _id: 7, b: 2 });
    expect(writeErrors[0]).toMatchObject({ code: 66 });
  });

  it('builds an upserted document from the equality conditions of the filter', async () => {
    const result = await store.update(ns, { _id: 5, kind: 'a' }, { $inc: { n: 2 } }, { upsert: true });
    expect(result.n).toBe(1);
    expect(plain(result.upserted)).toEqual([{ index: 0, _id: 5 }]);
    expect(plain(await store.find(ns))).toEqual([{ _id: 5, kind: 'a', n: 2 }]);
  });

  it('inserts one document for many concurrent upserts', async () => {
    await store.engine.createIndexes(ns, [{ key: { k: 1 }, unique: true }], {});
    const results = await Promise.all(
      Array.from({ length: 50 }, () => store.update(ns, { k: 'one' }, { $inc: { n: 1 } }, { upsert: true })),
    );
    expect(results.filter((result) => result.upserted.length > 0)).toHaveLength(1);
    const found = await store.find(ns);
    expect(found).toHaveLength(1);
    expect(plain(found[0]!.n)).toBe(50);
  });

  it('does not lose increments of concurrent clients', async () => {
    await store.insert(ns, [{ _id: 1, n: 0 }]);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let i = 0; i < 25; i++) await store.update(ns, { _id: 1 }, { $inc: { n: 1 } });
      }),
    );
    expect(plain((await store.find(ns))[0]!.n)).toBe(500);
  });

  it('does not update a document twice when the update moves it forward in the scanned index', async () => {
    await store.engine.createIndexes(ns, [{ key: { n: 1 } }], {});
    await store.insert(
      ns,
      Array.from({ length: 900 }, (_, i) => ({ _id: i, n: i })),
    );
    const result = await store.update(ns, { n: { $gte: 0 } }, { $inc: { n: 1_000 } }, { multi: true });
    expect(result).toMatchObject({ n: 900, nModified: 900 });
    expect(await store.engine.count(ns, { filter: { n: { $gte: 1_000, $lt: 1_900 } } }, {})).toBe(900);
  });

  it('deletes one or all matches', async () => {
    await store.insert(
      ns,
      Array.from({ length: 10 }, (_, i) => ({ _id: i, odd: i % 2 === 1 })),
    );
    expect(await store.remove(ns, { odd: true }, 1)).toEqual({ n: 1, writeErrors: [] });
    expect(await store.remove(ns, { odd: true })).toEqual({ n: 4, writeErrors: [] });
    expect(await store.ids(ns)).toEqual([0, 2, 4, 6, 8]);
    expect(await store.engine.count(ns, { filter: {} }, {})).toBe(5);
  });

  it('finds and modifies: the old or new document, sorted, projected, upserted, removed', async () => {
    await store.insert(ns, [
      { _id: 1, q: 'a', p: 2 },
      { _id: 2, q: 'a', p: 9 },
      { _id: 3, q: 'a', p: 5 },
    ]);
    const run = async (spec: Parameters<typeof store.engine.findAndModify>[1]) => {
      const result = await store.engine.findAndModify(ns, spec, {});
      const [value] = result.value ? [result.value] : [];
      return { ...result, value: value ? plain((await import('../values/bson.js')).decode(value)) : null };
    };
    const sort = { p: -1 };
    expect(await run({ filter: { q: 'a' }, sort, update: { $set: { q: 'b' } } })).toMatchObject({
      value: { _id: 2, q: 'a', p: 9 },
      n: 1,
      updatedExisting: true,
    });
    expect(
      await run({ filter: { q: 'a' }, sort, update: { $inc: { p: 1 } }, returnNew: true, fields: { p: 1 } }),
    ).toMatchObject({ value: { _id: 3, p: 6 } });
    expect(await run({ filter: { q: 'none' }, update: { $set: { p: 0 } } })).toMatchObject({
      value: null,
      n: 0,
    });
    const upserted = await run({
      filter: { _id: 8 },
      update: { $set: { p: 0 } },
      upsert: true,
      returnNew: true,
    });
    expect(upserted).toMatchObject({ value: { _id: 8, p: 0 }, n: 1, updatedExisting: false });
    expect(plain(upserted.upsertedId)).toBe(8);
    expect(await run({ filter: { _id: 1 }, remove: true })).toMatchObject({ value: { _id: 1 }, n: 1 });
    expect(await store.ids(ns)).toEqual([2, 3, 8]);
  });

  it('skips, limits, projects and sorts in memory', async () => {
    await store.insert(
      ns,
      Array.from({ length: 300 }, (_, i) => ({ _id: i, m: (i * 7) % 300, x: 'y' })),
    );
    const found = await store.find(
      ns,
      {},
      { sort: { m: 1 }, skip: 10, limit: 5, projection: { m: 1, _id: 0 } },
    );
    expect(plain(found)).toEqual([{ m: 10 }, { m: 11 }, { m: 12 }, { m: 13 }, { m: 14 }]);
    expect(await store.ids(ns, {}, { sort: { $natural: -1 }, limit: 2 })).toEqual([299, 298]);
  });

  it('returns a long result in batches limited by count and bytes, and continues after writes', async () => {
    await store.insert(
      ns,
      Array.from({ length: 5_000 }, (_, i) => ({ _id: i })),
    );
    const cursor = store.engine.find(ns, { filter: { _id: { $gte: 0 } } }, {});
    const first = await cursor.next(10);
    expect(first).toMatchObject({ done: false });
    await store.remove(ns, { _id: { $lt: 4_000 } });
    await store.insert(ns, [{ _id: 9_999 }]);
    let count = 0;
    for (let done = false; !done;) {
      const batch = await cursor.next(10_000, 1_024);
      expect(batch.docs.reduce((sum, doc) => sum + doc.length, 0)).toBeLessThanOrEqual(1_024);
      count += batch.docs.length;
      done = batch.done;
    }
    expect(count).toBe(1_001);
  });

  it('fails a cursor with QueryPlanKilled when its collection is dropped', async () => {
    await store.insert(
      ns,
      Array.from({ length: 50 }, (_, i) => ({ _id: i })),
    );
    const cursor = store.engine.find(ns, { filter: {} }, {});
    await cursor.next(10);
    await store.engine.dropCollection(ns, {});
    await expect(cursor.next(10)).rejects.toMatchObject({ code: 175 });
  });

  it('stops at the deadline or when killed', async () => {
    await store.insert(ns, [{ _id: 1 }]);
    const late = store.engine.find(ns, { filter: {} }, { deadline: store.time });
    await expect(late.next(1)).rejects.toMatchObject({ code: 50 });
    const killed = store.engine.find(ns, { filter: {} }, { signal: { killed: true } });
    await expect(killed.next(1)).rejects.toMatchObject({ code: 11601 });
  });

  it('enforces a validator unless it is bypassed', async () => {
    await store.engine.createCollection(ns, { validator: { a: { $type: 'int' } } }, {});
    expect((await store.insert(ns, [{ _id: 1, a: 'x' }])).writeErrors[0]).toMatchObject({ code: 121 });
    expect(await store.insert(ns, [{ _id: 1, a: 'x' }], { bypassDocumentValidation: true })).toMatchObject({
      n: 1,
    });
    expect(await store.insert(ns, [{ _id: 2, a: 1 }])).toMatchObject({ n: 1 });
    expect((await store.update(ns, { _id: 2 }, { $set: { a: 'y' } })).writeErrors[0]).toMatchObject({
      code: 121,
    });
  });

  it('keeps documents, counters and options across a reopen', async () => {
    await store.engine.createCollection(ns, { validator: { a: { $exists: true } } }, {});
    await store.insert(ns, [
      { _id: 1, a: 1 },
      { _id: 2, a: 2 },
    ]);
    await store.remove(ns, { _id: 1 });
    const before = store.engine.collection(ns);
    await store.reopen();
    expect(plain(store.engine.collection(ns))).toEqual(plain(before));
    expect(await store.engine.count(ns, { filter: {} }, {})).toBe(1);
    expect(await store.engine.collectionStats(ns, {})).toMatchObject({
      count: 1,
      size: encode({ _id: 2, a: 2 }).length,
    });
    await store.insert(ns, [{ _id: 3, a: 3 }]);
    expect(await store.ids(ns)).toEqual([2, 3]);
  });

  it('fails a findAndModify that creates its collection, but not the other writes in the commit', async () => {
    const other: Namespace = { db: 'shop', coll: 'others' };
    const update = { $set: { x: 1 } };
    const results = await Promise.allSettled([
      store.insert(other, [{ _id: 1 }]),
      store.engine.findAndModify(ns, { filter: { a: { $bad: 1 } }, update, upsert: true }, {}),
      store.engine.findAndModify(
        { db: 'shop', coll: 'third' },
        { filter: { _id: 1 }, update, upsert: true, returnNew: true, fields: { x: { $bad: 1 } } },
        {},
      ),
      store.insert(other, [{ _id: 2 }]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 2 } });
    expect(await store.ids(other)).toEqual([1, 2]);
    expect(await store.ids(ns)).toEqual([]);
    await store.reopen();
    expect(await store.ids(other)).toEqual([1, 2]);
  });

  it("compares by the collection's collation unless the query specifies another", async () => {
    await store.engine.createCollection(ns, { collation: { locale: 'en', strength: 2 } }, {});
    expect(await store.insert(ns, [{ _id: 'Ann' }, { _id: 'bob' }])).toMatchObject({ n: 2 });
    expect((await store.insert(ns, [{ _id: 'ann' }])).writeErrors[0]).toMatchObject({ code: 11000 });
    expect(await store.ids(ns, { _id: 'BOB' })).toEqual(['bob']);
    expect(await store.ids(ns, { _id: 'BOB' }, { collation: { locale: 'simple' } })).toEqual([]);
    expect(await store.ids(ns, { _id: 'bob' }, { collation: { locale: 'simple' } })).toEqual(['bob']);
  });

  it('creates, renames and drops collections and databases', async () => {
    await store.insert(ns, [{ _id: 1 }]);
    await store.engine.renameCollection(ns, { db: 'shop', coll: 'goods' }, false, {});
    expect(store.engine.collections('shop').map((info) => info.ns.coll)).toEqual(['goods']);
    expect(await store.ids({ db: 'shop', coll: 'goods' })).toEqual([1]);
    await store.insert(ns, [{ _id: 2 }]);
    await expect(
      store.engine.renameCollection(ns, { db: 'shop', coll: 'goods' }, false, {}),
    ).rejects.toMatchObject({
      code: 48,
    });
    await store.engine.renameCollection(ns, { db: 'shop', coll: 'goods' }, true, {});
    expect(await store.ids({ db: 'shop', coll: 'goods' })).toEqual([2]);
    expect(await store.engine.dropDatabase('shop', {})).toBe(true);
    expect(store.engine.databases()).toEqual([]);
    expect(await store.ids({ db: 'shop', coll: 'goods' })).toEqual([]);
  });
});
