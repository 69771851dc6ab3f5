import { Double } from 'bson';
import { TestStore } from './testing/open-temp.js';

const ns = { db: 'd', coll: 'c' };

describe('special collections', () => {
  let store: TestStore;

  beforeEach(async () => {
    store = await TestStore.open();
  });

  afterEach(() => store.destroy());

  it('expires documents of a clustered collection by the date in _id', async () => {
    const clusteredIndex = { key: { _id: 1 }, name: '_id_' };
    await store.engine.createCollection(ns, { clusteredIndex, expireAfterSeconds: new Double(60) }, {});
    const at = (seconds: number) => new Date(store.time + seconds * 1_000);
    await store.insert(ns, [
      { _id: at(-61), n: 1 },
      { _id: at(-59), n: 2 },
    ]);
    await store.engine.sweep();
    expect((await store.find(ns)).map(({ n }) => Number(n))).toEqual([2]);
    store.time += 2_000;
    await store.engine.sweep();
    expect(await store.find(ns)).toEqual([]);
  });

  it('keeps a capped collection within its limits in every commit and after a restart', async () => {
    await store.engine.createCollection(
      ns,
      { capped: true, size: new Double(100_000), max: new Double(3) },
      {},
    );
    for (let first = 0; first < 10; first += 2) await store.insert(ns, [{ _id: first }, { _id: first + 1 }]);
    expect(await store.ids(ns)).toEqual([7, 8, 9]);
    expect((await store.engine.collectionStats(ns, {})).count).toBe(3);
    await store.reopen();
    await store.insert(ns, [{ _id: 10 }]);
    expect(await store.ids(ns)).toEqual([8, 9, 10]);
    expect(await store.ids(ns, { _id: { $lt: 9 } })).toEqual([8]);
  });

  it('applies a much lower limit over several inserts', async () => {
    await store.engine.createCollection(
      ns,
      { capped: true, size: new Double(1e9), max: new Double(1e6) },
      {},
    );
    await store.insert(
      ns,
      Array.from({ length: 1_200 }, (_, _id) => ({ _id })),
    );
    await store.engine.modifyCollection(ns, { cappedMax: 5 }, {});
    const left: number[] = [];
    for (let _id = 2_000; _id < 2_004; _id++) {
      await store.insert(ns, [{ _id }]);
      left.push((await store.engine.collectionStats(ns, {})).count);
    }
    expect(left).toEqual([701, 202, 5, 5]);
    expect(await store.ids(ns)).toEqual([1_199, 2_000, 2_001, 2_002, 2_003].slice(-5));
  });

  it('removes a collection of an aborted transaction when the store closes', async () => {
    const txn = store.engine.beginTransaction({ lsid: 'a', txnNumber: 1n });
    await store.insert(ns, [{ _id: 1 }], { txn });
    expect(store.engine.collection(ns)).toBeUndefined();
    expect(store.engine.databases()).toEqual([]);
    await store.reopen();
    expect(store.engine.collection(ns)).toBeUndefined();
  });
});
