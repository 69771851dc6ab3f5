import { decode } from '../values/bson.js';
import { plain, TestStore } from './testing/open-temp.js';
import type { Namespace, OpContext } from './types.js';

const ns: Namespace = { db: 'd', coll: 'c' };

describe('retryable writes', () => {
  let store: TestStore;

  beforeEach(async () => {
    store = await TestStore.open();
  });

  afterEach(() => store.destroy());

  const retry = (txnNumber: bigint, lsid = 's'): OpContext => ({ retry: { lsid, txnNumber } });

  it('returns the result of a repeated insert without inserting again, even after a reopen', async () => {
    const docs = Array.from({ length: 1_500 }, (_, i) => ({ _id: i }));
    expect(await store.insert(ns, docs, retry(1n))).toEqual({ n: 1_500, writeErrors: [] });
    expect(await store.insert(ns, docs, retry(1n))).toEqual({ n: 1_500, writeErrors: [] });
    await store.reopen();
    expect(await store.insert(ns, docs, retry(1n))).toEqual({ n: 1_500, writeErrors: [] });
    expect(await store.engine.count(ns, { filter: {} }, {})).toBe(1_500);
  });

  it('executes statements that failed or did not run', async () => {
    await store.insert(ns, [{ _id: 2 }]);
    const docs = [{ _id: 1 }, { _id: 2 }, { _id: 3 }];
    expect(await store.insert(ns, docs, retry(1n))).toMatchObject({ n: 1, writeErrors: [{ index: 1 }] });
    await store.remove(ns, { _id: 2 });
    expect(await store.insert(ns, docs, retry(1n))).toEqual({ n: 3, writeErrors: [] });
    expect(await store.ids(ns, {}, { sort: { _id: 1 } })).toEqual([1, 2, 3]);
  });

  it('stores the results of updates, upserts, deletes and findAndModify', async () => {
    await store.insert(ns, [
      { _id: 1, n: 0 },
      { _id: 2, n: 0 },
    ]);
    const statements = [
      { filter: { _id: 1 }, update: { $inc: { n: 1 } } },
      { filter: { k: 'new' }, update: { $set: { n: 5 } }, upsert: true },
    ];
    const run = () => store.engine.update(ns, statements, true, retry(1n));
    const first = await run();
    await store.reopen();
    expect(plain(await run())).toEqual(plain(first));
    expect(await store.engine.count(ns, { filter: {} }, {})).toBe(3);

    const spec = { filter: { _id: 1 }, update: { $inc: { n: 1 } }, returnNew: true };
    const found = await store.engine.findAndModify(ns, spec, retry(2n));
    const again = await store.engine.findAndModify(ns, spec, retry(2n));
    expect(plain(decode(again.value!))).toEqual({ _id: 1, n: 2 });
    expect({ ...again, value: null }).toEqual({ ...found, value: null });

    expect(await store.remove(ns, { n: { $gte: 0 } }, 1, retry(3n))).toMatchObject({ n: 1 });
    expect(await store.remove(ns, { n: { $gte: 0 } }, 1, retry(3n))).toMatchObject({ n: 1 });
    expect(await store.engine.count(ns, { filter: {} }, {})).toBe(2);
  });

  it('separates sessions, and statements of one command by number', async () => {
    await store.insert(ns, [{ _id: 1, n: 0 }]);
    const inc = (ctx: OpContext) => store.update(ns, { _id: 1 }, { $inc: { n: 1 } }, { ctx });
    await inc(retry(1n, 'a'));
    await inc(retry(1n, 'b'));
    const numbered = (stmtId: number): OpContext => ({
      retry: { lsid: 'a', txnNumber: 2n, stmtIds: [stmtId] },
    });
    await inc(numbered(0));
    await inc(numbered(1));
    await inc(numbered(1));
    expect(plain(await store.find(ns))).toEqual([{ _id: 1, n: 4 }]);
  });

  it('rejects a lower transaction number', async () => {
    await store.insert(ns, [{ _id: 1 }], retry(5n));
    await expect(store.insert(ns, [{ _id: 2 }], retry(4n))).rejects.toMatchObject({ code: 225 });
    expect(await store.ids(ns)).toEqual([1]);
  });

  it('expires records not used for 30 minutes', async () => {
    await store.insert(ns, [{ _id: 1 }], retry(5n, 'old'));
    store.time += 29 * 60_000;
    await store.insert(ns, [{ _id: 2 }], retry(5n, 'young'));
    store.time += 2 * 60_000;
    await store.engine.sweep();
    expect(await store.insert(ns, [{ _id: 3 }], retry(1n, 'old'))).toMatchObject({ n: 1 });
    await expect(store.insert(ns, [{ _id: 4 }], retry(1n, 'young'))).rejects.toMatchObject({ code: 225 });
  });
});
