import {
  type Collection,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  type MongoBulkWriteError,
  ObjectId,
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
  coll = test.client.db('driver').collection(`c${names}`);
});

describe('documents', () => {
  it('are returned with the types that they were stored with', async () => {
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

  it('get an _id from the server if the client sends none', async () => {
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

  it('are found and changed atomically', async () => {
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

  it('are written in bulk, and the result reports what failed', async () => {
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

  it('are rejected if their _id is invalid', async () => {
    const error = await serverError(coll.insertOne({ _id: [1] as never }));
    expect(error.code).toBe(53);
  });
});

describe('cursors', () => {
  beforeEach(async () => {
    await coll.insertMany(Array.from({ length: 250 }, (_, n) => ({ n })));
  });

  it('continue batch by batch, with sort, skip and limit', async () => {
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
  it('return only their keys, or documents with the record id', async () => {
    await coll.insertMany([
      { _id: 1 as never, n: 5 },
      { _id: 2 as never, n: 4 },
    ]);
    await coll.createIndex({ n: 1 });
    const keys = await coll.find({ n: { $gt: 0 } }, { returnKey: true, showRecordId: true }).toArray();
    expect(keys).toEqual([{ n: 4 }, { n: 5 }]);
    const [first] = await coll.find({ n: 5 }, { showRecordId: true }).toArray();
    expect(first).toMatchObject({ _id: 1, n: 5, $recordId: expect.any(Number) as unknown });
  });

  it('are created, listed, used and dropped', async () => {
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

  it('reject duplicates if unique, and report the duplicate key', async () => {
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
