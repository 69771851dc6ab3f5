import {
  type ClientSession,
  type Collection,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  type MongoBulkWriteError,
  MongoClient,
  MongoServerError,
  ObjectId,
} from 'mongodb';
import { openTestStore, type TestStore } from './store.js';

let test: TestStore;
let coll: Collection<Document>;
let names = 0;

beforeAll(async () => {
  test = await openTestStore();
});

afterAll(() => test.close());

beforeEach(() => {
  names += 1;
  coll = test.client.db('driver').collection(`c${names}`);
});

const serverError = async (work: Promise<unknown>): Promise<MongoServerError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MongoServerError);
  return error as MongoServerError;
};

describe('documents', () => {
  it('come back with the types that they were stored with', async () => {
    const doc = {
      _id: new ObjectId(),
      int: new Int32(1),
      long: Long.fromNumber(1),
      double: new Double(1),
      decimal: Decimal128.fromString('1.10'),
      date: new Date(1_700_000_000_000),
      nested: { list: [new Double(2), 'x', null] },
    };
    await coll.insertOne(doc);
    expect(await coll.findOne({ _id: doc._id }, { promoteValues: false })).toEqual(doc);
  });

  it('are given an _id by the server when the client sends none', async () => {
    await test.client.db('driver').command({ insert: coll.collectionName, documents: [{ a: 1 }] });
    expect(await coll.findOne({ a: 1 })).toEqual({ _id: expect.any(ObjectId) as ObjectId, a: 1 });
  });

  it('are updated, replaced, upserted and deleted', async () => {
    await coll.insertMany([
      { _id: 1 as never, n: 1 },
      { _id: 2 as never, n: 2 },
      { _id: 3 as never, n: 3 },
    ]);
    expect(await coll.updateMany({ n: { $gte: 2 } }, { $inc: { n: 10 } })).toMatchObject({
      matchedCount: 2,
      modifiedCount: 2,
    });
    expect(await coll.updateOne({ n: 99 }, { $set: { made: true } }, { upsert: true })).toMatchObject({
      upsertedCount: 1,
    });
    await coll.replaceOne({ _id: 1 as never }, { replaced: true });
    await coll.deleteOne({ n: 13 });
    expect(
      await coll.find({}, { sort: { _id: 1 }, projection: { n: 1, replaced: 1, made: 1 } }).toArray(),
    ).toEqual([
      { _id: 1, replaced: true },
      { _id: 2, n: 12 },
      { _id: expect.any(ObjectId) as ObjectId, n: 99, made: true },
    ]);
  });

  it('are found and changed in one step', async () => {
    await coll.insertOne({ k: 'a', n: 1 });
    const before = await coll.findOneAndUpdate({ k: 'a' }, { $inc: { n: 1 } });
    const after = await coll.findOneAndUpdate({ k: 'a' }, { $inc: { n: 1 } }, { returnDocument: 'after' });
    expect([before?.['n'], after?.['n']]).toEqual([1, 3]);
    const upserted = await coll.findOneAndUpdate(
      { k: 'b' },
      { $setOnInsert: { n: 0 } },
      { upsert: true, returnDocument: 'after', includeResultMetadata: true },
    );
    expect(upserted.lastErrorObject).toMatchObject({
      n: 1,
      updatedExisting: false,
      upserted: upserted.value?._id,
    });
    expect((await coll.findOneAndDelete({ k: 'a' }))?.['n']).toBe(3);
    expect(await coll.findOneAndDelete({ k: 'none' })).toBeNull();
  });

  it('are written in bulk, and the result tells what failed', async () => {
    const result = await coll.bulkWrite([
      { insertOne: { document: { _id: 1 as never } } },
      { updateOne: { filter: { _id: 1 as never }, update: { $set: { a: 1 } } } },
      { updateOne: { filter: { _id: 2 as never }, update: { $set: { a: 2 } }, upsert: true } },
      { deleteOne: { filter: { _id: 1 as never } } },
    ]);
    expect(result).toMatchObject({ insertedCount: 1, modifiedCount: 1, upsertedCount: 1, deletedCount: 1 });
    const error = (await serverError(
      coll.insertMany([{ _id: 3 as never }, { _id: 2 as never }, { _id: 4 as never }], { ordered: false }),
    )) as MongoBulkWriteError;
    expect(error.code).toBe(11000);
    expect(error.result.insertedCount).toBe(2);
    expect(await coll.distinct('_id')).toEqual([2, 3, 4]);
  });

  it('are written to several collections by one client bulk write', async () => {
    const other = `${coll.collectionName}_other`;
    const result = await test.client.bulkWrite([
      { name: 'insertOne', namespace: coll.namespace, document: { _id: 1, a: 1 } as never },
      { name: 'insertOne', namespace: `driver.${other}`, document: { _id: 1, a: 1 } as never },
      {
        name: 'updateOne',
        namespace: coll.namespace,
        filter: { _id: 1 as never },
        update: { $inc: { a: 1 } },
      },
      { name: 'deleteMany', namespace: `driver.${other}`, filter: {} },
    ]);
    expect(result).toMatchObject({ insertedCount: 2, modifiedCount: 1, deletedCount: 1 });
    expect(await coll.findOne()).toEqual({ _id: 1, a: 2 });
  });

  it('with an _id that cannot be one are refused', async () => {
    const error = await serverError(coll.insertOne({ _id: [1] as never }));
    expect(error.code).toBe(53);
  });
});

describe('cursors', () => {
  beforeEach(async () => {
    await coll.insertMany(Array.from({ length: 250 }, (_, n) => ({ n })));
  });

  it('go on batch by batch, sorted, skipped and limited', async () => {
    const found = await coll.find({}, { batchSize: 7, sort: { n: -1 }, skip: 5, limit: 100 }).toArray();
    expect(found.map(({ n }) => n as number)).toEqual(Array.from({ length: 100 }, (_, i) => 244 - i));
  });

  it('are closed by the client', async () => {
    const cursor = coll.find({}, { batchSize: 2 });
    await cursor.next();
    const id = cursor.id;
    await cursor.close();
    const error = await serverError(
      test.client.db('driver').command({ getMore: id, collection: coll.collectionName }),
    );
    expect(error).toMatchObject({ code: 43, codeName: 'CursorNotFound' });
  });

  it('keep batches within 16 MiB', async () => {
    await coll.deleteMany({});
    await coll.insertMany(Array.from({ length: 10 }, (_, n) => ({ n, big: 'x'.repeat(4_000_000) })));
    const reply = await test.client.db('driver').command({ find: coll.collectionName, filter: {} });
    const { firstBatch, id } = reply['cursor'] as { firstBatch: unknown[]; id: Long };
    expect(firstBatch).toHaveLength(4);
    expect(id.toString()).not.toBe('0');
    expect((await coll.find().toArray()).length).toBe(10);
  });

  it('count and list distinct values', async () => {
    expect(await coll.countDocuments({ n: { $lt: 10 } })).toBe(10);
    expect(await coll.estimatedDocumentCount()).toBe(250);
    expect(await coll.countDocuments({}, { skip: 240, limit: 20 })).toBe(10);
    expect(await coll.distinct('n', { n: { $lt: 3 } })).toEqual([0, 1, 2]);
  });
});

describe('indexes', () => {
  it('are made, listed, used and dropped', async () => {
    await coll.insertMany(Array.from({ length: 20 }, (_, n) => ({ n, even: n % 2 === 0 })));
    expect(await coll.createIndex({ n: 1 })).toBe('n_1');
    expect(await coll.createIndex({ even: 1, n: -1 }, { name: 'both' })).toBe('both');
    expect((await coll.indexes()).map(({ name }) => name)).toEqual(['_id_', 'n_1', 'both']);
    const plan = await coll.find({ n: { $gt: 15 } }).explain('executionStats');
    expect(plan).toMatchObject({
      queryPlanner: {
        winningPlan: {
          stage: 'FETCH',
          inputStage: { stage: 'IXSCAN', indexName: 'n_1', keyPattern: { n: 1 } },
        },
      },
    });
    expect(plan['executionStats']).toMatchObject({
      nReturned: 4,
      totalKeysExamined: 4,
      totalDocsExamined: 4,
    });
    await coll.dropIndex('both');
    expect(await coll.indexExists('both')).toBe(false);
    expect((await serverError(coll.dropIndex('both'))).code).toBe(27);
  });

  it('that are unique refuse duplicates and say which', async () => {
    await coll.createIndex({ email: 1, tenant: 1 }, { unique: true });
    await coll.insertOne({ email: 'a@b.c', tenant: 1 });
    const error = await serverError(coll.insertOne({ email: 'a@b.c', tenant: 1 }));
    expect(error).toMatchObject({
      code: 11000,
      keyPattern: { email: 1, tenant: 1 },
      keyValue: { email: 'a@b.c', tenant: 1 },
    });
    expect(error.message).toContain('E11000 duplicate key error collection');
    const byUpdate = await serverError(
      coll.updateOne({ email: 'new' }, { $set: { email: 'a@b.c', tenant: 1 } }, { upsert: true }),
    );
    expect(byUpdate.code).toBe(11000);
  });
});

describe('collections', () => {
  it('are created, listed, renamed and dropped', async () => {
    const db = test.client.db('catalog');
    await db.createCollection('a', { validator: { n: { $type: 'int' } } });
    expect((await serverError(db.createCollection('a', { capped: true, size: 100 }))).code).toBe(48);
    expect((await serverError(db.collection('a').insertOne({ n: 'text' }))).code).toBe(121);
    await db.collection('a').rename('b');
    expect((await db.listCollections({ name: 'b' }).toArray())[0]).toMatchObject({
      name: 'b',
      type: 'collection',
      options: { validator: { n: { $type: 'int' } } },
    });
    expect(await db.dropCollection('b')).toBe(true);
    expect(await db.listCollections().toArray()).toEqual([]);
    await db.collection('c').insertOne({});
    const { databases } = await test.client.db().admin().listDatabases();
    expect(databases.map(({ name }) => name)).toContain('catalog');
    await db.dropDatabase();
    expect(await db.listCollections().toArray()).toEqual([]);
  });
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

  it('are seen by others only once they are committed', async () => {
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

  it('conflict when two write the same document, and the loser is told to try again', async () => {
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

  it('are run again by withTransaction until all have been done', async () => {
    await Promise.all(
      Array.from({ length: 8 }, () => test.client.withSession((s) => s.withTransaction(() => move(s, 1)))),
    );
    expect(await amounts()).toEqual([92, 8]);
  });

  it('end when a statement fails, which the client sees as a write error', async () => {
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

  it('refuse commands that may not run inside of them', async () => {
    const session = test.client.startSession();
    session.startTransaction();
    await move(session, 1);
    const error = await serverError(
      test.client.db('driver').command({ count: coll.collectionName }, { session }),
    );
    expect(error.code).toBe(263);
    await session.abortTransaction();
    await session.endSession();
  });

  it('that were committed are known as such after a restart', async () => {
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

/** Sends a command with session fields of its own: the driver's implicit session would overwrite them. */
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

  it('are done exactly once when the connection breaks', async () => {
    await coll.insertOne({ _id: 1 as never, n: 0 });
    await failCommand({ times: 1 }, { failCommands: ['update'], closeConnection: true });
    expect(await coll.updateOne({ _id: 1 as never }, { $inc: { n: 1 } })).toMatchObject({ modifiedCount: 1 });
    expect(await coll.findOne()).toEqual({ _id: 1, n: 1 });
  });

  it('that come a second time are answered as the first time and change nothing', async () => {
    await coll.insertOne({ _id: 1 as never, n: 0 });
    // A client of its own: the number would spoil the pooled session for others.
    const client = await test.connect();
    const session = client.startSession();
    const command = {
      update: coll.collectionName,
      updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }],
      txnNumber: Long.fromNumber(7),
    };
    const first = await client.db('driver').command(command, { session });
    const second = await client.db('driver').command(command, { session });
    expect([first['nModified'], second['nModified']]).toEqual([1, 1]);
    expect(await coll.findOne()).toEqual({ _id: 1, n: 1 });
    await session.endSession();
  });

  it('are retried on a code that says that the server is not primary', async () => {
    await failCommand({ times: 1 }, { failCommands: ['insert'], errorCode: 10107 });
    await coll.insertOne({ a: 1 });
    expect(await coll.countDocuments({ a: 1 })).toBe(1);
  });

  it('report a write concern error beside their result', async () => {
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

describe('aggregation', () => {
  beforeEach(async () => {
    await coll.insertMany([
      { item: 'a', price: new Int32(1), tags: ['x', 'y'], at: new Date('2026-01-01T10:00:00Z') },
      { item: 'b', price: Long.fromNumber(1), tags: ['x'], at: new Date('2026-01-02T10:00:00Z') },
      { item: 'a', price: new Double(1), tags: [], at: new Date('2026-01-02T11:00:00Z') },
      { item: 'c', price: new Double(2.5), tags: ['y', 'z'], at: new Date('2026-02-01T10:00:00Z') },
    ]);
  });

  it('groups numbers of different types as one', async () => {
    const groups = await coll
      .aggregate([
        { $group: { _id: '$price', n: { $sum: 1 }, items: { $push: '$item' } } },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    expect(groups).toEqual([
      { _id: 1, n: 3, items: ['a', 'b', 'a'] },
      { _id: 2.5, n: 1, items: ['c'] },
    ]);
  });

  it('computes sums and averages in the right types', async () => {
    const [total] = await coll
      .aggregate(
        [
          { $match: { item: { $ne: 'c' } } },
          { $group: { _id: null, sum: { $sum: '$price' }, avg: { $avg: '$price' }, max: { $max: '$item' } } },
        ],
        { promoteValues: false },
      )
      .toArray();
    expect(total).toEqual({ _id: null, sum: new Double(3), avg: new Double(1), max: 'b' });
  });

  it('unwinds, counts, sorts and projects', async () => {
    const counts = await coll
      .aggregate([
        { $unwind: '$tags' },
        { $sortByCount: '$tags' },
        { $sort: { count: -1, _id: 1 } },
        { $project: { _id: 0, tag: '$_id', twice: { $multiply: ['$count', 2] } } },
        { $limit: 2 },
      ])
      .toArray();
    expect(counts).toEqual([
      { tag: 'x', twice: 4 },
      { tag: 'y', twice: 4 },
    ]);
  });

  it('joins by equality and by pipeline', async () => {
    const stock = test.client.db('driver').collection(`${coll.collectionName}_stock`);
    await stock.insertMany([
      { sku: 'a', left: 5 },
      { sku: 'b', left: 0 },
    ]);
    const joined = await coll
      .aggregate([
        { $lookup: { from: stock.collectionName, localField: 'item', foreignField: 'sku', as: 'stock' } },
        {
          $lookup: {
            from: stock.collectionName,
            let: { item: '$item' },
            pipeline: [{ $match: { $expr: { $and: [{ $eq: ['$sku', '$$item'] }, { $gt: ['$left', 0] }] } } }],
            as: 'available',
          },
        },
        { $set: { stock: { $size: '$stock' }, available: { $size: '$available' } } },
        { $project: { _id: 0, item: 1, stock: 1, available: 1 } },
        { $sort: { item: 1 } },
      ])
      .toArray();
    expect(joined).toEqual([
      { item: 'a', stock: 1, available: 1 },
      { item: 'a', stock: 1, available: 1 },
      { item: 'b', stock: 1, available: 0 },
      { item: 'c', stock: 0, available: 0 },
    ]);
  });

  it('answers several questions with $facet and $bucket', async () => {
    const [facets] = await coll
      .aggregate([
        {
          $facet: {
            byPrice: [{ $bucket: { groupBy: '$price', boundaries: [0, 2, 5] } }],
            total: [{ $count: 'n' }],
          },
        },
      ])
      .toArray();
    expect(facets).toEqual({
      byPrice: [
        { _id: 0, count: 3 },
        { _id: 2, count: 1 },
      ],
      total: [{ n: 4 }],
    });
  });

  it('writes its result with $out and $merge', async () => {
    const target = `${coll.collectionName}_out`;
    const pipeline = [{ $group: { _id: '$item', n: { $sum: 1 } } }];
    await coll.aggregate([...pipeline, { $out: target }]).toArray();
    await coll
      .aggregate([{ $match: { item: 'c' } }, ...pipeline, { $set: { more: true } }, { $merge: target }])
      .toArray();
    expect(
      await test.client
        .db('driver')
        .collection(target)
        .find({}, { sort: { _id: 1 } })
        .toArray(),
    ).toEqual([
      { _id: 'a', n: 2 },
      { _id: 'b', n: 1 },
      { _id: 'c', n: 1, more: true },
    ]);
  });

  it('goes on batch by batch', async () => {
    const found = await coll
      .aggregate([{ $sort: { at: -1 } }, { $addFields: { k: 1 } }], { batchSize: 1 })
      .toArray();
    expect(found.map(({ item }) => item as string)).toEqual(['c', 'a', 'b', 'a']);
  });

  it.each([
    [{ $changeStream: {} }, 115],
    [{ $nothing: 1 }, 40324],
    [{ $geoNear: {} }, 115],
  ])('refuses %j with code %i', async (stage, code) => {
    expect((await serverError(coll.aggregate([stage]).toArray())).code).toBe(code);
  });
});

describe('the server', () => {
  it('answers an unknown command with CommandNotFound, and the connection lives', async () => {
    const client = await test.connect({ maxPoolSize: 1 });
    const error = await serverError(client.db('driver').command({ notACommand: 1 }));
    expect(error).toMatchObject({
      code: 59,
      codeName: 'CommandNotFound',
      message: "no such command: 'notACommand'",
    });
    expect(await client.db('driver').command({ ping: 1 })).toMatchObject({ ok: 1 });
  });

  it.each<[Document, number]>([
    [{ find: 'c', nonsense: 1 }, 40415],
    [{ find: 'c', limit: 'x' }, 14],
    [{ find: 'c', filter: [1] }, 14],
    [{ find: 5 }, 73],
    [{ insert: 'a$b', documents: [{}] }, 73],
    [{ insert: 'c' }, 40414],
    [{ insert: 'c', documents: [] }, 16],
    [{ delete: 'c', deletes: [{ q: {}, limit: 7 }] }, 9],
    [{ findAndModify: 'c', query: {} }, 9],
    [{ renameCollection: 'a.b', to: 'a.c' }, 13],
    [{ find: 'c', maxTimeMS: -1 }, 2],
  ])('refuses %j with code %i', async (command, code) => {
    expect((await serverError(test.client.db('driver').command(command))).code).toBe(code);
  });

  it('describes itself', async () => {
    const admin = test.client.db('admin');
    expect(await admin.command({ buildInfo: 1 })).toMatchObject({ version: '8.0.0' });
    const hello = await admin.command({ hello: 1 });
    expect(hello).toMatchObject({ isWritablePrimary: true, setName: 'embedded', maxWireVersion: 25 });
    const status = await admin.command({ serverStatus: 1 });
    expect(status).toMatchObject({ ok: 1, version: '8.0.0', repl: { setName: 'embedded' } });
    const counts = status as unknown as { connections: { current: number }; opcounters: { insert: number } };
    expect(counts.connections.current).toBeGreaterThan(0);
    expect(counts.opcounters.insert).toBeGreaterThan(0);
    await coll.insertOne({ a: 1 });
    expect(await test.client.db('driver').command({ collStats: coll.collectionName })).toMatchObject({
      count: 1,
    });
    expect(await test.client.db('driver').stats()).toMatchObject({ db: 'driver' });
  });

  it('stops an operation that takes longer than maxTimeMS', async () => {
    await coll.insertMany(Array.from({ length: 20_000 }, (_, n) => ({ n })));
    const slow = coll.aggregate(
      [
        {
          $lookup: {
            from: coll.collectionName,
            pipeline: [{ $match: { n: -1 } }],
            let: { n: '$n' },
            as: 'none',
          },
        },
        { $count: 'n' },
      ],
      { maxTimeMS: 50 },
    );
    expect((await serverError(slow.toArray())).code).toBe(50);
  });

  it('takes unacknowledged writes', async () => {
    await coll.insertOne({ _id: 1 as never }, { writeConcern: { w: 0 } });
    const client = await test.connect({ maxPoolSize: 1 });
    const own = client.db('driver').collection(coll.collectionName);
    await own.insertOne({ _id: 2 as never }, { writeConcern: { w: 0 } });
    expect(await own.findOne({ _id: 2 as never })).toEqual({ _id: 2 });
  });

  it('hangs up on nonsense but serves others', async () => {
    const { createConnection } = await import('node:net');
    const path = decodeURIComponent(test.store.uri.slice('mongodb://'.length, test.store.uri.indexOf('/?')));
    const socket = createConnection(path);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.write(Buffer.from('GET / HTTP/1.1\r\nHost: nobody\r\n\r\n'));
    await closed;
    expect(await test.client.db('driver').command({ ping: 1 })).toMatchObject({ ok: 1 });
  });
});

it('counts exactly under concurrent writers', async () => {
  const client = await test.connect({ maxPoolSize: 50 });
  const counters = client.db('driver').collection<{ _id: string; n: number }>('counters');
  await counters.insertOne({ _id: 'one', n: 0 });
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let i = 0; i < 20; i++) await counters.updateOne({ _id: 'one' }, { $inc: { n: 1 } });
    }),
  );
  expect(await counters.findOne()).toEqual({ _id: 'one', n: 1_000 });
});

describe('heartbeats', () => {
  it('are streamed, so that monitoring goes on without new requests', async () => {
    const client = new MongoClient(test.store.uri, { heartbeatFrequencyMS: 500 });
    let awaited = 0;
    const seen = new Promise<void>((resolve, reject) => {
      client.on('serverHeartbeatFailed', (event) => reject(event.failure));
      client.on('serverHeartbeatSucceeded', (event) => {
        if (event.awaited) awaited += 1;
        if (awaited === 2) resolve();
      });
    });
    await client.connect();
    await seen;
    await client.close();
    expect(awaited).toBe(2);
  });
});

describe('the store', () => {
  it('is served over TCP when a port is asked for, and says when that port is taken', async () => {
    const tcp = await openTestStore({ port: 0 });
    try {
      expect(tcp.store.uri).toMatch(/^mongodb:\/\/127\.0\.0\.1:\d+\/\?directConnection=true$/);
      await tcp.client.withSession((session) =>
        session.withTransaction(() => tcp.client.db('t').collection('c').insertOne({ a: 1 }, { session })),
      );
      expect(await tcp.client.db('t').collection('c').countDocuments()).toBe(1);
      const port = Number(new URL(tcp.store.uri).port);
      await expect(openTestStore({ port })).rejects.toThrow(`127.0.0.1:${port} is in use`);
    } finally {
      await tcp.close();
    }
  });

  it('keeps its documents when it is closed and opened again', async () => {
    const own = await openTestStore();
    try {
      await own.client
        .db('d')
        .collection('c')
        .insertOne({ _id: 1 as never });
      await own.reopen();
      expect(await own.client.db('d').collection('c').findOne()).toEqual({ _id: 1 });
    } finally {
      await own.close();
    }
  });
});
