import { decode, encode } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { AFTER_ALL, ChangeLog, newChange } from './change-log.js';
import type { Change, ChangeLogLimits } from './change-log.js';
import { ClusterClock } from './cluster-clock.js';
import { plain, TestStore } from './testing/open-temp.js';

const ns = { db: 'd', coll: 'c' };

describe('ClusterClock', () => {
  let now = 0;
  const clock = () => new ClusterClock(() => now);

  it('gives each commit a later time, even when the wall clock moves backwards', () => {
    now = 5_250;
    const first = clock();
    expect(first.time).toEqual({ t: 5, i: 250_000_001 });
    expect(first.tick()).toEqual({ t: 5, i: 250_000_002 });
    now = 7_000;
    expect(first.tick()).toEqual({ t: 7, i: 1 });
    now = 3_000;
    expect(first.tick()).toEqual({ t: 7, i: 2 });
    expect(first.time).toEqual({ t: 7, i: 2 });
  });

  it('starts after all times from before a restart in the same second', () => {
    now = 5_250;
    const last = clock().tick();
    now = 5_251;
    expect(clock().time.i).toBeGreaterThan(last.i);
  });

  it('advances without writes', () => {
    now = 5_000;
    const idle = clock();
    now = 14_999;
    expect(idle.time.t).toBe(5);
    now = 15_000;
    expect(idle.time).toEqual({ t: 15, i: 1 });
  });
});

describe('ChangeLog', () => {
  const open = (limits?: ChangeLogLimits) => new ChangeLog(new ClusterClock(() => 0), () => 1_234, limits);
  const insert = (n: number, bytes = 0) =>
    newChange('insert', ns, { after: encode({ _id: n, filler: 'x'.repeat(bytes) }) });
  const ids = (log: ChangeLog): unknown[] => {
    const found: unknown[] = [];
    for (let at = log.first; at < log.end; at++) found.push(plain(decode(log.at(at)!.after!)._id));
    return found;
  };

  it('keeps the newest changes within its limits and reports the position from which it is complete', () => {
    const log = open({ bytes: 1_000_000, changes: 3 });
    const all = [1, 2, 3, 4, 5].map((n) => insert(n));
    for (const change of all) log.append([change]);
    expect(ids(log)).toEqual([3, 4, 5]);
    expect(log.floor).toEqual({ ...all[1]!.time, index: 0 });
    expect(log.firstAfter(log.floor)).toBe(log.first);
    expect(log.firstAfter({ ...all[3]!.time, index: AFTER_ALL })).toBe(log.end - 1);
  });

  it('limits the changes by their size in bytes', () => {
    const log = open({ bytes: 10_000, changes: 1_000 });
    for (let n = 0; n < 10; n++) log.append([insert(n, 3_000)]);
    expect(ids(log)).toEqual([8, 9]);
  });

  it('keeps up to four times its limits for changes that a reader has not read yet', () => {
    const log = open({ bytes: 1_000_000, changes: 2 });
    const reader = { next: log.end };
    const stop = log.addReader(reader);
    for (let n = 0; n < 8; n++) log.append([insert(n)]);
    expect(ids(log)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    log.append([insert(8)]);
    expect(log.first).toBe(1);
    stop();
    log.append([insert(9)]);
    expect(ids(log)).toEqual([8, 9]);
  });

  it('evicts many changes and keeps only the newest', () => {
    const log = open({ bytes: 1_000_000, changes: 10 });
    for (let n = 0; n < 5_000; n++) log.append([insert(n)]);
    expect(ids(log)).toEqual([4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999]);
  });

  it('copies documents, so that the buffers they came from can be released', () => {
    const log = open();
    const around = Buffer.alloc(100_000);
    const bytes = encode({ _id: 1 });
    around.set(bytes, 50);
    log.append([newChange('insert', ns, { after: around.subarray(50, 50 + bytes.length) })]);
    around.fill(0);
    expect(ids(log)).toEqual([1]);
  });

  it('notifies its listeners once per commit', () => {
    const log = open();
    let calls = 0;
    const stop = log.subscribe(() => (calls += 1));
    log.append([insert(1), insert(2)]);
    log.append([]);
    expect(calls).toBe(1);
    stop();
    log.append([insert(3)]);
    expect(calls).toBe(1);
  });
});

describe('the changes that the engine logs', () => {
  let store: TestStore;

  beforeEach(async () => {
    store = await TestStore.open();
  });

  afterEach(() => store.destroy());

  const logged = (): Change[] => {
    const { changes } = store.engine;
    return Array.from({ length: changes.end - changes.first }, (_, at) => changes.at(changes.first + at)!);
  };
  const shown = () => logged().map(({ kind, before, after }) => [kind, show(before), show(after)]);
  const show = (bytes: Uint8Array | undefined) => bytes && (plain(decode(bytes)) as Doc);

  it('are those that were committed, in order, with only the _id of a deleted document', async () => {
    await store.insert(ns, [{ _id: 1, a: 1 }, { _id: 1 }], {}, false);
    await store.update(ns, { _id: 1 }, { $set: { a: 2 } });
    await store.update(ns, { _id: 1 }, { a: 3 });
    await store.update(ns, { _id: 2 }, { a: 3 }, { upsert: true });
    await store.remove(ns, { _id: 1 });
    expect(shown()).toEqual([
      ['create', undefined, undefined],
      ['insert', undefined, { _id: 1, a: 1 }],
      ['update', { _id: 1, a: 1 }, { _id: 1, a: 2 }],
      ['replace', { _id: 1, a: 2 }, { _id: 1, a: 3 }],
      ['insert', undefined, { _id: 2, a: 3 }],
      ['delete', { _id: 1 }, undefined],
    ]);
    expect(logged()[2]!.touched?.paths).toEqual(['a']);
  });

  it('include the changes of a transaction, all with one time, once it commits', async () => {
    await store.insert(ns, [{ _id: 0 }]);
    const before = store.engine.changes.end;
    const lsid = 'ab'.repeat(16);
    const txn = store.engine.beginTransaction({ lsid, txnNumber: 7n });
    await store.insert(ns, [{ _id: 1 }, { _id: 2 }], { txn });
    await store.insert(ns, [{ _id: 3 }]);
    expect(store.engine.changes.end).toBe(before + 1);
    await store.engine.commitTransaction(txn, true);
    const [plainInsert, first, second] = logged().slice(before);
    expect(plainInsert!.txn).toBeUndefined();
    expect(first!.txn).toEqual({ lsid, txnNumber: 7n });
    expect(second!.time).toEqual(first!.time);
    expect([first!.index, second!.index]).toEqual([0, 1]);

    const aborted = store.engine.beginTransaction({ lsid, txnNumber: 8n });
    await store.insert(ns, [{ _id: 4 }], { txn: aborted });
    store.engine.abortTransaction(aborted);
    expect(store.engine.changes.end).toBe(before + 3);
  });
});
