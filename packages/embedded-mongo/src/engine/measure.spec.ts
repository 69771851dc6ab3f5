import { int } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { TestStore } from './testing/open-temp.js';
import type { OpContext, Transaction } from './types.js';

const ns = { db: 'shop', coll: 'items' };

describe('index sizes and usage', () => {
  let store: TestStore;

  beforeEach(async () => {
    store = await TestStore.open();
    await store.engine.createIndexes(
      ns,
      [
        { key: { a: int(1) }, name: 'a' },
        { key: { a: int(1) }, name: 'few', partialFilterExpression: { a: { $lt: int(10) } } },
        { key: { tags: int(1) }, name: 'tags' },
      ],
      {},
    );
    const docs = Array.from({ length: 3_000 }, (_, i) => ({ _id: i, a: i, tags: [i, i + 0.5] }));
    await store.insert(ns, docs);
  });

  afterEach(() => store.destroy());

  it('counts the entries of partial and multikey indexes', async () => {
    const { indexSizes, count } = await store.engine.collectionStats(ns, {});
    expect(count).toBe(3_000);
    expect(indexSizes['a']! / indexSizes['few']!).toBeCloseTo(300, -1);
    expect(indexSizes['tags']! / indexSizes['a']!).toBeGreaterThan(1.7);
  });

  it('stops when killed', async () => {
    await expect(store.engine.collectionStats(ns, { signal: { killed: true } })).rejects.toMatchObject({
      code: 11601,
    });
  });

  it('counts the queries that use an index since its creation', async () => {
    const made = store.time;
    store.time += 1_000;
    await store.find(ns, { a: int(5) });
    await store.engine.count(ns, { filter: { a: { $gt: int(2_000) } } }, {});
    await store.find(ns, { _id: int(1) });
    store.engine.explain(ns, { filter: { a: int(5) } }, {});
    const uses = new Map(store.engine.indexUse(ns).map(({ name, ...use }) => [name, use]));
    expect(uses.get('a')!.ops + uses.get('few')!.ops).toBeGreaterThanOrEqual(1);
    expect(uses.get('_id_')).toEqual({ ops: 1, since: made });
    expect(uses.get('tags')).toEqual({ ops: 0, since: made });
  });

  it('sums what the queries of an operation examine', async () => {
    const ctx: OpContext = {};
    await store.engine.find(ns, { filter: { a: { $lt: int(7) } } }, ctx).next(1_000);
    await store.engine.find(ns, { filter: { a: int(1) } }, ctx).next(1_000);
    expect(ctx.examined).toMatchObject({ keysExamined: 8, docsExamined: 8 });
    expect(ctx.examined?.plan()).toMatchObject({ stage: 'IXSCAN' });
  });
});

describe('a write that conflicts with a transaction', () => {
  let store: TestStore;
  let txn: Transaction;
  const update = (ctx: OpContext): Promise<unknown> =>
    store.engine.update(ns, [{ filter: { _id: int(1) }, update: { $set: { x: int(2) } as Doc } }], true, ctx);

  const refusal = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  beforeEach(async () => {
    store = await TestStore.open();
    await store.insert(ns, [{ _id: 1 }]);
    txn = store.engine.beginTransaction({ lsid: 'ab'.repeat(16), txnNumber: 1n });
    await update({ txn });
  });

  afterEach(() => store.destroy());

  it('stops waiting when killed', async () => {
    const signal = { killed: false };
    const ctx: OpContext = { signal };
    const refused = refusal(update(ctx));
    await new Promise(setImmediate);
    signal.killed = true;
    expect(await refused).toMatchObject({ code: 11601 });
    expect(ctx.waiting).toBe(false);
  });

  it('stops waiting when it times out', async () => {
    await expect(update({ deadline: store.time })).rejects.toMatchObject({ code: 50 });
    const refused = refusal(update({ deadline: store.time + 500 }));
    await new Promise(setImmediate);
    store.time += 500;
    expect(await refused).toMatchObject({ code: 50 });
  });

  it('continues when the transaction has ended', async () => {
    const write = update({});
    await new Promise(setImmediate);
    store.engine.abortTransaction(txn);
    expect(await write).toMatchObject({ n: 1, nModified: 1 });
  });
});
