import { Timestamp } from 'bson';
import { TestStore } from '../engine/testing/open-temp.js';
import type { Transaction } from '../engine/types.js';
import { SnapshotReads } from './snapshot-reads.js';

const ns = { db: 'd', coll: 'c' };

describe('SnapshotReads', () => {
  let store: TestStore;
  let reads: SnapshotReads;

  beforeEach(async () => {
    store = await TestStore.open();
    reads = new SnapshotReads(store.engine);
    await store.insert(ns, [{ _id: 1 }]);
  });

  afterEach(() => store.destroy());

  const count = (txn: Transaction): Promise<number> => store.engine.count(ns, { filter: {} }, { txn });

  it('returns the same documents for the same time', async () => {
    const { at, txn } = reads.at(undefined);
    await store.insert(ns, [{ _id: 2 }]);
    expect(await count(txn)).toBe(1);
    expect(await count(reads.at(at).txn)).toBe(1);
    expect(await count(reads.at(undefined).txn)).toBe(2);
  });

  it('drops the oldest snapshot when there are too many', () => {
    const first = reads.at(undefined).at;
    const second = reads.at(undefined).at;
    for (let more = 0; more < 15; more++) reads.at(undefined);
    expect(() => reads.at(first)).toThrow(expect.objectContaining({ code: 239 }) as Error);
    expect(reads.at(second).at).toEqual(second);
  });

  it('expires a snapshot older than the transaction lifetime', () => {
    const { at } = reads.at(undefined);
    store.time += 60_000;
    // The engine ends an expired transaction when it is next used.
    expect(() => store.engine.find(ns, { filter: {} }, { txn: reads.at(at).txn })).toThrow();
    expect(() => reads.at(at)).toThrow(expect.objectContaining({ code: 239 }) as Error);
  });

  it('rejects a time in the future', () => {
    const { t, i } = store.engine.changes.clock.time;
    expect(() => reads.at(new Timestamp({ t: t + 10, i }))).toThrow(
      expect.objectContaining({ code: 72 }) as Error,
    );
  });
});
