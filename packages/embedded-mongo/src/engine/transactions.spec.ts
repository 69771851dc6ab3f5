import type { Doc } from '../values/bson.js';
import { plain, TestStore } from './testing/open-temp.js';
import type { Namespace, Transaction } from './types.js';

const ns: Namespace = { db: 'bank', coll: 'accounts' };
const conflict = { code: 112, errorLabels: ['TransientTransactionError'] };

describe('multi-document transactions', () => {
  let store: TestStore;
  let numbers = 0n;
  const begin = (lsid = 's'): Transaction => store.engine.beginTransaction({ lsid, txnNumber: ++numbers });
  const commit = (txn: Transaction) => store.engine.commitTransaction(txn, true);
  const set = (id: number, fields: Doc, txn?: Transaction) =>
    store.update(ns, { _id: id }, { $set: fields }, txn ? { ctx: { txn } } : {});
  const all = async (txn?: Transaction) => plain(await store.find(ns, {}, {}, txn ? { txn } : {}));

  beforeEach(async () => {
    store = await TestStore.open();
    await store.engine.createIndexes(
      ns,
      [{ key: { email: 1 }, unique: true, sparse: true }, { key: { n: 1 } }],
      {},
    );
    await store.insert(ns, [
      { _id: 1, n: 10 },
      { _id: 2, n: 20 },
    ]);
  });

  afterEach(() => store.destroy());

  it('reads its own writes, which are not visible outside before the commit', async () => {
    const txn = begin();
    await set(1, { n: 11 }, txn);
    await store.insert(ns, [{ _id: 3, n: 30 }], { txn });
    await store.remove(ns, { _id: 2 }, 1, { txn });
    expect(txn.dirty).toBe(true);
    expect(await all(txn)).toEqual([
      { _id: 1, n: 11 },
      { _id: 3, n: 30 },
    ]);
    expect(await store.engine.count(ns, { filter: {} }, { txn })).toBe(2);
    expect(await all()).toEqual([
      { _id: 1, n: 10 },
      { _id: 2, n: 20 },
    ]);
    await commit(txn);
    expect(txn.state).toBe('committed');
    expect(await all()).toEqual([
      { _id: 1, n: 11 },
      { _id: 3, n: 30 },
    ]);
    expect(await store.engine.count(ns, { filter: {} }, {})).toBe(2);
  });

  it('merges its writes into index scans in both directions', async () => {
    await store.insert(
      ns,
      Array.from({ length: 20 }, (_, i) => ({ _id: 100 + i, n: 100 + i * 10 })),
    );
    const txn = begin();
    await store.insert(
      ns,
      [105, 155, 305, 1].map((n) => ({ _id: n + 1_000, n })),
      { txn },
    );
    await store.remove(ns, { n: { $in: [110, 290] } }, 0, { txn });
    await store.update(ns, { n: 120 }, { $set: { n: 295 } }, { ctx: { txn } });
    const expected = (await store.find(ns, {}, { hint: { $natural: 1 } }, { txn }))
      .map((doc) => plain(doc.n) as number)
      .filter((n) => n >= 100 && n < 310)
      .sort((a, b) => a - b);
    const filter = { n: { $gte: 100, $lt: 310 } };
    const ns1 = (await store.find(ns, filter, { sort: { n: 1 } }, { txn })).map((doc) => plain(doc.n));
    const ns2 = (await store.find(ns, filter, { sort: { n: -1 } }, { txn })).map((doc) => plain(doc.n));
    expect(ns1).toEqual(expected);
    expect(ns2).toEqual([...expected].reverse());
    expect(store.engine.explain(ns, { filter, sort: { n: -1 } }, { txn })).toMatchObject({
      stage: 'IXSCAN',
      direction: 'backward',
      blockingSort: false,
    });
  });

  it('keeps its snapshot while others commit', async () => {
    const txn = begin();
    await set(1, { n: 99 });
    await store.insert(ns, [{ _id: 3, n: 30 }]);
    expect(await all(txn)).toEqual([
      { _id: 1, n: 10 },
      { _id: 2, n: 20 },
    ]);
    expect(await store.ids(ns, { n: { $gt: 0 } }, {}, { txn })).toEqual([1, 2]);
    expect(await store.engine.count(ns, { filter: {} }, { txn })).toBe(2);
    await commit(txn);
  });

  it('leaves nothing behind when it is aborted', async () => {
    const txn = begin();
    await set(1, { n: 0, email: 'a' }, txn);
    await store.insert(ns, [{ _id: 3, email: 'b' }], { txn });
    store.engine.abortTransaction(txn);
    expect(txn.state).toBe('aborted');
    expect(await all()).toEqual([
      { _id: 1, n: 10 },
      { _id: 2, n: 20 },
    ]);
    await expect(set(1, { n: 1 }, txn)).rejects.toMatchObject({ code: 251 });
    await expect(commit(txn)).rejects.toMatchObject({ code: 251 });
    expect(await store.insert(ns, [{ _id: 3, email: 'b' }])).toMatchObject({ n: 1 });
  });

  it('fails the second of two transactions that write one document with WriteConflict', async () => {
    const first = begin('a');
    const second = begin('b');
    await set(1, { n: 1 }, first);
    await expect(set(1, { n: 2 }, second)).rejects.toMatchObject(conflict);
    await expect(store.remove(ns, { _id: 1 }, 1, { txn: second })).rejects.toMatchObject(conflict);
    await commit(first);
    await expect(set(1, { n: 2 }, second)).rejects.toMatchObject(conflict);
    store.engine.abortTransaction(second);
    expect(await all()).toEqual([
      { _id: 1, n: 1 },
      { _id: 2, n: 20 },
    ]);
  });

  it('fails with WriteConflict for a document committed after its snapshot', async () => {
    const txn = begin();
    await set(1, { n: 11 });
    await expect(set(1, { n: 12 }, txn)).rejects.toMatchObject(conflict);
    await set(2, { n: 21 }, txn);
    await commit(txn);
    expect(await all()).toEqual([
      { _id: 1, n: 11 },
      { _id: 2, n: 21 },
    ]);
  });

  it('sees every write acknowledged before it began, and does not conflict with it', async () => {
    for (let i = 0; i < 30; i++) {
      await set(1, { n: i });
      const txn = begin();
      expect(plain(await store.find(ns, { _id: 1 }, {}, { txn }))).toEqual([{ _id: 1, n: i }]);
      await store.update(ns, { _id: 1 }, { $inc: { n: 100 } }, { ctx: { txn } });
      await commit(txn);
      expect(plain(await store.find(ns, { _id: 1 }))).toEqual([{ _id: 1, n: i + 100 }]);
    }
  });

  it('never loses an update when transactions begin while other writes are in progress', async () => {
    let done = 0;
    const client = async (c: number) => {
      for (let i = 0; i < 20; i++) {
        if (c % 2 === 0) {
          await store.update(ns, { _id: 1 }, { $inc: { n: 1 } });
          done++;
          continue;
        }
        const txn = begin(`c${c}`);
        try {
          const [doc] = await store.find(ns, { _id: 1 }, {}, { txn });
          await set(1, { n: (plain(doc!.n) as number) + 1 }, txn);
          await commit(txn);
          done++;
        } catch (error) {
          expect(error).toMatchObject(conflict);
          store.engine.abortTransaction(txn);
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, c) => client(c)));
    expect(plain(await store.find(ns, { _id: 1 }))).toEqual([{ _id: 1, n: 10 + done }]);
  });

  it('distinguishes a duplicate of a committed key from a conflict over an uncommitted one', async () => {
    await store.insert(ns, [{ _id: 5, email: 'old' }]);
    const first = begin('a');
    const second = begin('b');
    await expect(store.insert(ns, [{ _id: 6, email: 'old' }], { txn: first })).rejects.toMatchObject({
      code: 11000,
    });
    await expect(store.insert(ns, [{ _id: 5 }], { txn: first })).rejects.toMatchObject({ code: 11000 });
    await store.insert(ns, [{ _id: 7, email: 'new' }], { txn: first });
    await expect(store.insert(ns, [{ _id: 8, email: 'new' }], { txn: second })).rejects.toMatchObject(
      conflict,
    );
    await commit(first);
    const third = begin('c');
    await expect(store.insert(ns, [{ _id: 9, email: 'new' }], { txn: third })).rejects.toMatchObject({
      code: 11000,
    });
    store.engine.abortTransaction(second);
    store.engine.abortTransaction(third);
  });

  it('makes a plain write wait for the transaction and then repeat its search', async () => {
    const txn = begin();
    await set(1, { n: 50 }, txn);
    const order: string[] = [];
    const waiting = store
      .update(ns, { n: { $gte: 10 } }, { $inc: { n: 1 } }, { multi: true })
      .then((result) => {
        order.push('plain');
        return result;
      });
    const other = await store.update(ns, { _id: 2 }, { $set: { seen: true } });
    expect(other.n).toBe(1);
    order.push('commit');
    await commit(txn);
    expect(await waiting).toMatchObject({ n: 2, nModified: 2 });
    expect(order).toEqual(['commit', 'plain']);
    expect(await all()).toEqual([
      { _id: 1, n: 51 },
      { _id: 2, n: 21, seen: true },
    ]);
  });

  it('lets a plain insert of a claimed key wait for the transaction to end', async () => {
    const winner = begin('a');
    await store.insert(ns, [{ _id: 3, email: 'x' }], { txn: winner });
    const refused = store.insert(ns, [{ _id: 4, email: 'x' }]);
    await commit(winner);
    expect((await refused).writeErrors[0]).toMatchObject({ code: 11000 });
    const loser = begin('b');
    await store.insert(ns, [{ _id: 5, email: 'y' }], { txn: loser });
    const accepted = store.insert(ns, [{ _id: 6, email: 'y' }]);
    store.engine.abortTransaction(loser);
    expect(await accepted).toMatchObject({ n: 1 });
  });

  it('allows write skew: documents that were only read do not conflict', async () => {
    const first = begin('a');
    const second = begin('b');
    await all(first);
    await all(second);
    await set(1, { n: 0 }, first);
    await set(2, { n: 0 }, second);
    await commit(first);
    await commit(second);
    expect(await all()).toEqual([
      { _id: 1, n: 0 },
      { _id: 2, n: 0 },
    ]);
  });

  it('is aborted at the end of its lifetime and releases its claims', async () => {
    const txn = begin();
    await set(1, { n: 1 }, txn);
    store.time += 59_999;
    await set(2, { n: 2 }, txn);
    const waiting = set(1, { n: 3 });
    store.time += 1;
    await expect(set(2, { n: 3 }, txn)).rejects.toMatchObject({ code: 251 });
    expect(txn.state).toBe('aborted');
    expect(await waiting).toMatchObject({ n: 1 });
    await expect(commit(txn)).rejects.toMatchObject({ code: 251 });
  });

  it('commits once: a second commit is a no-op, and the outcome survives a reopen', async () => {
    const txn = store.engine.beginTransaction({ lsid: 'kept', txnNumber: 7n });
    await store.update(ns, { _id: 1 }, { $inc: { n: 1 } }, { ctx: { txn } });
    await Promise.all([commit(txn), commit(txn)]);
    await commit(txn);
    expect(plain(await store.find(ns, { _id: 1 }))).toEqual([{ _id: 1, n: 11 }]);
    await store.reopen();
    expect(store.engine.transactionOutcome('kept', 7n)).toBe('committed');
    expect(store.engine.transactionOutcome('kept', 8n)).toBe('unknown');
    expect(() => store.engine.beginTransaction({ lsid: 'kept', txnNumber: 6n })).toThrow(
      expect.objectContaining({ code: 225 }) as Error,
    );
  });

  it('creates a collection that it inserts into, which is removed when it aborts', async () => {
    const fresh: Namespace = { db: 'bank', coll: 'fresh' };
    const txn = begin();
    await store.insert(fresh, [{ _id: 1 }], { txn });
    expect(await store.ids(fresh, {}, {}, { txn })).toEqual([1]);
    expect(await store.ids(fresh)).toEqual([]);
    await commit(txn);
    expect(await store.ids(fresh)).toEqual([1]);
    const aborted = begin();
    await store.update(
      { db: 'bank', coll: 'other' },
      { _id: 1 },
      { $set: { a: 1 } },
      { upsert: true, ctx: { txn: aborted } },
    );
    store.engine.abortTransaction(aborted);
    expect(store.engine.collection({ db: 'bank', coll: 'other' })).toBeUndefined();
    expect(await store.ids({ db: 'bank', coll: 'other' })).toEqual([]);
  });

  it('rejects catalog changes inside it and makes those outside wait for it', async () => {
    const txn = begin();
    await expect(store.engine.createIndexes(ns, [{ key: { z: 1 } }], { txn })).rejects.toMatchObject({
      code: 263,
    });
    await expect(store.engine.dropCollection(ns, { txn })).rejects.toMatchObject({ code: 263 });
    await set(1, { z: 5 }, txn);
    const built = store.engine.createIndexes(ns, [{ key: { z: 1 } }], {});
    await commit(txn);
    await built;
    expect(await store.ids(ns, { z: 5 }, { hint: { z: 1 } })).toEqual([1]);
  });

  it('must be retried when the collection was changed after its snapshot', async () => {
    const txn = begin();
    expect(await store.ids(ns, { n: 10 }, {}, { txn })).toEqual([1]);
    await store.engine.createIndexes(ns, [{ key: { y: 1 } }], {});
    await expect(set(1, { y: 1 }, txn)).rejects.toMatchObject({
      codeName: 'SnapshotUnavailable',
      errorLabels: ['TransientTransactionError'],
    });
    store.engine.abortTransaction(txn);
    const reader = begin();
    await store.engine.dropCollection(ns, {});
    await expect(store.find(ns, {}, {}, { txn: reader })).rejects.toMatchObject({ code: 246 });
    store.engine.abortTransaction(reader);
  });

  it('is aborted when the store closes', async () => {
    const txn = begin();
    await set(1, { n: 77 }, txn);
    await store.reopen();
    expect(txn.state).toBe('aborted');
    expect(plain(await store.find(ns, { _id: 1 }))).toEqual([{ _id: 1, n: 10 }]);
  });

  it('keeps the total balance in random concurrent transfers', async () => {
    const accounts = 12;
    await store.remove(ns, {});
    await store.insert(
      ns,
      Array.from({ length: accounts }, (_, i) => ({ _id: i, n: 100 })),
    );
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    let committed = 0;
    const client = async (c: number) => {
      for (let i = 0; i < 40; i++) {
        const [from, to, amount] = [random(accounts), random(accounts), random(30)];
        const txn = begin(`c${c}`);
        try {
          await store.update(ns, { _id: from }, { $inc: { n: -amount } }, { ctx: { txn } });
          if (random(5) === 0) await new Promise((resolve) => setImmediate(resolve));
          await store.update(ns, { _id: to }, { $inc: { n: amount } }, { ctx: { txn } });
          const sum = (await store.find(ns, {}, {}, { txn })).reduce(
            (total, doc) => total + (plain(doc.n) as number),
            0,
          );
          expect(sum).toBe(accounts * 100);
          if (random(6) === 0) store.engine.abortTransaction(txn);
          else {
            await commit(txn);
            committed++;
          }
        } catch (error) {
          expect(error).toMatchObject(conflict);
          store.engine.abortTransaction(txn);
        }
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, c) => client(c)));
    const total = (await store.find(ns)).reduce((sum, doc) => sum + (plain(doc.n) as number), 0);
    expect(total).toBe(accounts * 100);
    expect(committed).toBeGreaterThan(20);
  });
});
