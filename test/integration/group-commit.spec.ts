import { Types } from 'mongoose';
import {
  type DocumentRef,
  DuplicateKeyError,
  GroupCommit,
  TransactionRunner,
  type UnitOfWork,
} from '../../src/database/index.js';
import { ProblemError } from '../../src/http/index.js';
import { createTestApp, type TestApp } from '../support/app.js';

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const COUNTERS = 'group_commit_counters';
const ENTRIES = 'group_commit_entries';

class Refused extends Error {}

describe('GroupCommit', () => {
  let first: TestApp;
  let second: TestApp;
  let one: GroupCommit;
  let other: GroupCommit;
  let tenantId: string;
  let count = 0;

  beforeAll(async () => {
    first = await createTestApp();
    // A second process on the same database.
    second = await createTestApp({ MONGODB_URI: first.database.uri });
    one = first.app.get(GroupCommit);
    other = second.app.get(GroupCommit);
    await first.database.collection(ENTRIES).createIndex({ tenantId: 1, name: 1 }, { unique: true });
  });
  afterAll(async () => {
    await second.close();
    await first.close();
  });
  beforeEach(() => {
    tenantId = `tenant-${++count}`;
  });

  const newCounter = async (): Promise<DocumentRef> => {
    const id = new Types.ObjectId();
    await first.database.collection(COUNTERS).insertOne({ _id: id, tenantId, n: 0, isOpen: true });
    return { collection: COUNTERS, tenantId, id, guard: ['n', 'isOpen'] };
  };
  /** Increments a counter, stores the number under a name, and returns it. */
  const entry = (ref: DocumentRef, name: string): UnitOfWork<number> => ({
    ref,
    write: (writer) => {
      const { document } = writer;
      if (document?.['isOpen'] !== true) throw new Refused(`${name} is refused`);
      const n = Number(document['n']) + 1;
      writer.change({ n });
      writer.insert(ENTRIES, { tenantId, name, counter: ref.id, n });
      return n;
    },
  });
  const names = async (ref: DocumentRef): Promise<string[]> =>
    (
      await first.database
        .collection<{ name: string }>(ENTRIES)
        .find({ tenantId, counter: ref.id })
        .sort({ n: 1 })
        .toArray()
    ).map(({ name }) => name);
  const counter = ({ id }: DocumentRef) => first.database.collection(COUNTERS).findOne({ _id: id });

  it('commits units that arrive together in one transaction', async () => {
    const before = one.stats();
    const refs = await Promise.all(oneTo(20).map(newCounter));
    const results = await Promise.all(refs.map((ref, index) => one.commit(entry(ref, `e${index}`))));
    expect(results).toEqual(refs.map(() => 1));
    expect(one.stats().units - before.units).toBe(20);
    expect(one.stats().commits - before.commits).toBe(1);
  });

  it('commits units of one document in call order', async () => {
    const ref = await newCounter();
    const all = oneTo(200).map((n) => `e${n}`);
    const results = await Promise.all(all.map((name) => one.commit(entry(ref, name))));
    expect(results).toEqual(oneTo(200));
    expect(await names(ref)).toEqual(all);
    expect(await counter(ref)).toMatchObject({ n: 200 });
  });

  it('rejects one unit with a conflict, one with a duplicate and one with its own error, while the other 61 of the batch are committed', async () => {
    const refs = await Promise.all(oneTo(64).map(newCounter));
    const [changed, duplicate, closed, ...rest] = refs;
    if (!changed || !duplicate || !closed) throw new Error('too few counters');
    await first.database.collection(ENTRIES).insertOne({ tenantId, name: 'taken' });
    await first.database.collection(COUNTERS).updateOne({ _id: closed.id }, { $set: { isOpen: false } });
    const { commits, refused } = one.stats();
    const outcomes = await Promise.allSettled([
      one.commit({
        write: (writer) => {
          writer.insert(ENTRIES, { tenantId, name: 'beside the conflict' });
          writer.compareAndSet({
            ...changed,
            guard: { n: 7 },
            set: { n: 8 },
            mismatch: () => new Refused('it is not 7'),
          });
        },
      }),
      one.commit(entry(duplicate, 'taken')),
      one.commit(entry(closed, 'late')),
      ...rest.map((ref, index) => one.commit(entry(ref, `e${index}`))),
    ]);
    const [conflict, taken, late, ...others] = outcomes;
    expect(conflict).toEqual({ status: 'rejected', reason: new Refused('it is not 7') });
    expect(taken).toMatchObject({
      status: 'rejected',
      reason: { collection: ENTRIES, fields: ['tenantId', 'name'] },
    });
    expect(taken).toMatchObject({ reason: expect.any(DuplicateKeyError) as unknown });
    expect(late).toEqual({ status: 'rejected', reason: new Refused('late is refused') });
    expect(others).toEqual(rest.map(() => ({ status: 'fulfilled', value: 1 })));
    expect(one.stats()).toMatchObject({ commits: commits + 1, refused: refused + 3 });
    expect(await first.database.collection(ENTRIES).countDocuments({ tenantId })).toBe(62);
    for (const ref of [changed, duplicate, closed]) expect(await counter(ref)).toMatchObject({ n: 0 });
  });

  const named = (name: string, unique?: string): UnitOfWork<string> => ({
    write: (writer) => {
      writer.insert(ENTRIES, { tenantId, name }, { ...(unique !== undefined && { unique }) });
      return name;
    },
  });

  it('writes the first of several units with the same unique value, and rejects the others once it is stored', async () => {
    const { conflicts } = one.stats();
    const storedThen: Promise<number>[] = [];
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'a', 'a', 'b'].map((name) =>
        one.commit(named(name, 'name')).catch((error: unknown) => {
          storedThen.push(first.database.collection(ENTRIES).countDocuments({ tenantId, name }));
          throw error;
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(outcomes[2]).toMatchObject({ reason: expect.any(DuplicateKeyError) as unknown });
    expect(await Promise.all(storedThen)).toEqual([1, 1, 1]);
    expect(one.stats().conflicts).toBe(conflicts);
  });

  it('rejects all units whose unique values already exist after one failed transaction', async () => {
    const stored = oneTo(5).map((n) => `n${n}`);
    await Promise.all(stored.map((name) => one.commit(named(name))));
    const { conflicts } = one.stats();
    const outcomes = await Promise.allSettled(oneTo(10).map((n) => one.commit(named(`n${n}`))));
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...stored.map(() => 'rejected'),
      ...stored.map(() => 'fulfilled'),
    ]);
    for (const outcome of outcomes.slice(0, 5))
      expect(outcome).toMatchObject({ reason: { name: 'DuplicateKeyError', fields: ['tenantId', 'name'] } });
    expect(one.stats().conflicts).toBe(conflicts + 1);
  });

  it('does not delay other documents because of a busy one', async () => {
    const busy = await newCounter();
    const quiet = await newCounter();
    const ended: string[] = [];
    const hot = oneTo(300).map((n) => one.commit(entry(busy, `hot${n}`)).then(() => ended.push('hot')));
    await Promise.all([...hot, one.commit(entry(quiet, 'quiet')).then(() => ended.push('quiet'))]);
    expect(ended.indexOf('quiet')).toBeLessThan(100);
  });

  it('rereads a document that another process has changed', async () => {
    const ref = await newCounter();
    expect(await one.commit(entry(ref, 'a'))).toBe(1);
    expect(await other.commit(entry(ref, 'b'))).toBe(2);
    expect(await one.commit(entry(ref, 'c'))).toBe(3);
    expect(await names(ref)).toEqual(['a', 'b', 'c']);
  });

  it('reads a document before each transaction while another process is also changing it', async () => {
    const ref = await newCounter();
    await one.commit(entry(ref, 'one 0'));
    await other.commit(entry(ref, 'other 0'));
    const before = [one.stats().conflicts, other.stats().conflicts];
    for (const n of oneTo(10)) {
      await one.commit(entry(ref, `one ${n}`));
      await other.commit(entry(ref, `other ${n}`));
    }
    // The document in the memory of each process is found to be outdated only once.
    expect([one, other].map((commits, index) => commits.stats().conflicts - (before[index] ?? 0))).toEqual([
      1, 1,
    ]);
    expect(await counter(ref)).toMatchObject({ n: 22 });
  });

  it('does not reject a unit because of an outdated document', async () => {
    const ref = await newCounter();
    await one.commit({
      ref,
      write: (writer) => {
        writer.change({ isOpen: false });
      },
    });
    await first.database.collection(COUNTERS).updateOne({ _id: ref.id }, { $set: { isOpen: true } });
    expect(await one.commit(entry(ref, 'a'))).toBe(1);
  });

  it('numbers the entries of two processes without gaps', async () => {
    const refs = await Promise.all(oneTo(4).map(newCounter));
    await Promise.all(
      refs.flatMap((ref, index) =>
        oneTo(60).map((n) => (n % 2 ? one : other).commit(entry(ref, `${index}/${n}`))),
      ),
    );
    for (const ref of refs) {
      expect(await names(ref)).toHaveLength(60);
      expect(await counter(ref)).toMatchObject({ n: 60 });
    }
  });

  it('does not return a document to another tenant by its id', async () => {
    const ref = await newCounter();
    await one.commit(entry(ref, 'mine'));
    const stolen = { ...ref, tenantId: 'somebody-else' };
    await expect(one.commit(entry(stolen, 'stolen'))).rejects.toThrow('stolen is refused');
  });

  it('reports as settled the time before the oldest uncommitted unit', async () => {
    const before = one.settledUntil();
    let stamp = new Date(0);
    const committed = one.commit({
      write: (writer) => {
        ({ stamp } = writer);
        writer.insert(ENTRIES, { tenantId, name: 'settled' });
      },
    });
    const during = one.settledUntil();
    await committed;
    expect(stamp.getTime()).toBeGreaterThan(before.getTime());
    expect(during.getTime()).toBeLessThan(stamp.getTime());
    expect(one.settledUntil().getTime()).toBeGreaterThanOrEqual(stamp.getTime());
  });

  it('rejects units beyond its queue limits with 503', async () => {
    const large = (name: string): UnitOfWork<void> => ({
      bytes: 40 * 1024 * 1024,
      write: (writer) => {
        writer.insert(ENTRIES, { tenantId, name });
      },
    });
    const [accepted, refused] = await Promise.allSettled([one.commit(large('a')), one.commit(large('b'))]);
    expect(accepted.status).toBe('fulfilled');
    expect(refused).toMatchObject({ reason: { problem: { status: 503, code: 'database_busy' } } });
  });

  it('must not be used within a transaction', async () => {
    const ref = await newCounter();
    const transactions = first.app.get(TransactionRunner);
    const within = transactions.run(() => one.commit(entry(ref, 'a')));
    await expect(within).rejects.toThrow('inside a running transaction');
  });

  it('commits queued units before the process exits, and accepts none afterwards', async () => {
    const third = await createTestApp({ MONGODB_URI: first.database.uri });
    const commits = third.app.get(GroupCommit);
    const ref = await newCounter();
    const pending = Promise.all(oneTo(100).map((n) => commits.commit(entry(ref, `e${n}`))));
    await third.app.close();
    expect(await pending).toEqual(oneTo(100));
    await expect(commits.commit(entry(ref, 'late'))).rejects.toBeInstanceOf(ProblemError);
    expect(await names(ref)).toHaveLength(100);
  });
});
