import {
  type ClientSession,
  type Collection,
  type Document,
  Long,
  type MongoClient,
  type MongoServerError,
} from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

let test: TestStore;
let coll: Collection<Document>;
let names = 0;

beforeAll(async () => {
  test = await openTestStore();
});

afterAll(() => test.close());

beforeEach(() => {
  names += 1;
  coll = test.client.db('transactions').collection(`c${names}`);
});

describe('transactions', () => {
  beforeEach(async () => {
    await coll.insertMany([
      { _id: 'a' as never, n: 100 },
      { _id: 'b' as never, n: 0 },
    ]);
  });

  const move = async (session: ClientSession, amount: number): Promise<void> => {
    await coll.updateOne({ _id: 'a' as never }, { $inc: { n: -amount } }, { session });
    await coll.updateOne({ _id: 'b' as never }, { $inc: { n: amount } }, { session });
  };
  const amounts = async (): Promise<number[]> =>
    (await coll.find({}, { sort: { _id: 1 } }).toArray()).map(({ n }) => n as number);

  it('are visible to others only after the commit', async () => {
    const session = test.client.startSession();
    session.startTransaction();
    await move(session, 10);
    expect(await amounts()).toEqual([100, 0]);
    expect((await coll.find({}, { session }).toArray()).map(({ n }) => n as number)).toEqual([90, 10]);
    await session.commitTransaction();
    expect(await amounts()).toEqual([90, 10]);
    await session.commitTransaction();
    await session.endSession();
  });

  it('leave nothing behind when they are aborted or their session ends', async () => {
    const session = test.client.startSession();
    session.startTransaction();
    await move(session, 10);
    await session.abortTransaction();
    session.startTransaction();
    await move(session, 20);
    await session.endSession();
    expect(await amounts()).toEqual([100, 0]);
  });

  it('conflict when two write the same document, and the second gets a TransientTransactionError', async () => {
    const first = test.client.startSession();
    const second = test.client.startSession();
    first.startTransaction();
    second.startTransaction();
    await move(first, 10);
    const error = await serverError(move(second, 20));
    expect(error.code).toBe(112);
    expect(error.hasErrorLabel('TransientTransactionError')).toBe(true);
    const late = await serverError(coll.findOne({}, { session: second }));
    expect(late).toMatchObject({ code: 251, codeName: 'NoSuchTransaction' });
    await second.abortTransaction();
    await first.commitTransaction();
    expect(await amounts()).toEqual([90, 10]);
    await Promise.all([first.endSession(), second.endSession()]);
  });

  it('are retried by withTransaction until all have been committed', async () => {
    await Promise.all(
      Array.from({ length: 8 }, () => test.client.withSession((s) => s.withTransaction(() => move(s, 1)))),
    );
    expect(await amounts()).toEqual([92, 8]);
  });

  it('are aborted when a statement fails, which the client receives as a write error', async () => {
    const session = test.client.startSession();
    session.startTransaction();
    await coll.insertOne({ _id: 'c' as never }, { session });
    expect((await serverError(coll.insertOne({ _id: 'a' as never }, { session }))).code).toBe(11000);
    const next = await serverError(coll.insertOne({ _id: 'd' as never }, { session }));
    expect(next.code).toBe(251);
    await session.abortTransaction();
    await session.endSession();
    expect(await coll.countDocuments()).toBe(2);
  });

  it('reject commands that are not allowed in a transaction', async () => {
    const session = test.client.startSession();
    session.startTransaction();
    await move(session, 1);
    const error = await serverError(
      test.client.db('transactions').command({ count: coll.collectionName }, { session }),
    );
    expect(error.code).toBe(263);
    await session.abortTransaction();
    await session.endSession();
  });

  it('are known to be committed after a restart', async () => {
    const session = test.client.startSession();
    const lsid = session.id;
    session.startTransaction();
    await move(session, 10);
    await session.commitTransaction();
    const txnNumber = Long.fromBigInt(BigInt(session.serverSession.txnNumber));
    await test.reopen();
    const again = rawCommand(test.client, { commitTransaction: 1, lsid, txnNumber, autocommit: false });
    await expect(again).resolves.toMatchObject({ ok: 1 });
  });
});

/** Sends a command with explicit session fields, which the implicit session of the driver would overwrite. */
async function rawCommand(client: MongoClient, command: Document): Promise<Document> {
  const session = client.startSession();
  try {
    const { lsid, txnNumber } = command as { lsid: Document; txnNumber: Long };
    Object.assign(session.serverSession, { id: lsid, txnNumber: txnNumber.toNumber() });
    return await client.db('admin').command(command, { session });
  } finally {
    await session.endSession();
  }
}

describe('retryable writes', () => {
  afterEach(async () => {
    await failCommand('off', {});
  });

  const failCommand = (mode: 'off' | { times: number }, data: Document): Promise<Document> =>
    test.client.db('admin').command({ configureFailPoint: 'failCommand', mode, data });

  it('are applied exactly once when the connection breaks', async () => {
    await coll.insertOne({ _id: 1 as never, n: 0 });
    await failCommand({ times: 1 }, { failCommands: ['update'], closeConnection: true });
    expect(await coll.updateOne({ _id: 1 as never }, { $inc: { n: 1 } })).toMatchObject({ modifiedCount: 1 });
    expect(await coll.findOne()).toEqual({ _id: 1, n: 1 });
  });

  it('return the first result and change nothing when they are repeated', async () => {
    await coll.insertOne({ _id: 1 as never, n: 0 });
    // Uses a separate client, because the transaction number would make the pooled session unusable for
    // others.
    const client = await test.connect();
    const session = client.startSession();
    const command = {
      update: coll.collectionName,
      updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }],
      txnNumber: Long.fromNumber(7),
    };
    const first = await client.db('transactions').command(command, { session });
    const second = await client.db('transactions').command(command, { session });
    expect([first['nModified'], second['nModified']]).toEqual([1, 1]);
    expect(await coll.findOne()).toEqual({ _id: 1, n: 1 });
    await session.endSession();
  });

  it('are retried on an error code for a server that is not primary', async () => {
    await failCommand({ times: 1 }, { failCommands: ['insert'], errorCode: 10107 });
    await coll.insertOne({ a: 1 });
    expect(await coll.countDocuments({ a: 1 })).toBe(1);
  });

  it('report a write concern error together with their result', async () => {
    await failCommand(
      { times: 1 },
      { failCommands: ['insert'], writeConcernError: { code: 100, errmsg: 'not enough nodes' } },
    );
    const error = await coll.insertOne({ a: 1 }).then(
      () => undefined,
      (reason: unknown) => reason as MongoServerError,
    );
    expect(error?.code).toBe(100);
    expect(await coll.countDocuments({ a: 1 })).toBe(1);
  });
});

it('starts concurrently with the creation of its collection without an error', async () => {
  const db = test.client.db('transactions');
  for (let i = 0; i < 20; i++) {
    const session = test.client.startSession();
    const target = db.collection<{ _id: number }>(`created${i}`);
    session.startTransaction();
    const created = db.createCollection(target.collectionName);
    const inserted = target.insertOne({ _id: i }, { session });
    // Whichever runs first creates the collection, and the other one finds it.
    const [creation] = await Promise.allSettled([created, inserted]);
    if (creation.status === 'rejected') expect(creation.reason).toMatchObject({ code: 48 });
    await expect(inserted).resolves.toMatchObject({ insertedId: i });
    await session.commitTransaction();
    await session.endSession();
    await expect(target.countDocuments()).resolves.toBe(1);
  }
});

it('counts exactly under concurrent writers', async () => {
  const client = await test.connect({ maxPoolSize: 50 });
  const counters = client.db('transactions').collection<{ _id: string; n: number }>('counters');
  await counters.insertOne({ _id: 'one', n: 0 });
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let i = 0; i < 20; i++) await counters.updateOne({ _id: 'one' }, { $inc: { n: 1 } });
    }),
  );
  expect(await counters.findOne()).toEqual({ _id: 'one', n: 1_000 });
});
