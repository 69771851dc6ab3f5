import type { Db, Document } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

describe('clustered collections and creation in transactions', () => {
  let store: TestStore;
  let db: Db;

  beforeAll(async () => {
    store = await openTestStore();
    db = store.client.db('catalog');
  });

  afterAll(() => store.close());

  const listed = (name: string): Promise<Document[]> => db.listCollections({ name }).toArray();

  it.each<[Document, number, string]>([
    [
      { expireAfterSeconds: 5 },
      72,
      "'expireAfterSeconds' is only supported when the 'clusteredIndex' option is specified",
    ],
    [
      { clusteredIndex: { key: { a: 1 }, unique: true } },
      197,
      'The clusteredIndex option is only supported for key: {_id: 1}',
    ],
    [
      { clusteredIndex: { key: { _id: 1 }, unique: false } },
      5979700,
      'The clusteredIndex option requires unique: true to be specified',
    ],
  ])('create rejects %j', async (options, code, message) => {
    await expect(serverError(db.command({ create: 'x', ...options }))).resolves.toMatchObject({
      code,
      message,
    });
  });

  it('clustered collections report their index and keep it across a restart', async () => {
    const clusteredIndex = { key: { _id: 1 }, unique: true, name: 'by id' };
    await db.createCollection('clustered', { clusteredIndex });
    await store.reopen();
    db = store.client.db('catalog');
    const clustered = db.collection<{ _id: number }>('clustered');
    await clustered.createIndex({ _id: 1 });
    await expect(clustered.indexes()).resolves.toEqual([{ v: 2, ...clusteredIndex, clustered: true }]);
    expect((await listed('clustered'))[0]?.['options']).toEqual({
      clusteredIndex: { v: 2, ...clusteredIndex },
    });
    await clustered.insertOne({ _id: 1 });
    await expect(serverError(clustered.insertOne({ _id: 1 }))).resolves.toMatchObject({ code: 11000 });
    await expect(clustered.find({ _id: 1 }).toArray()).resolves.toHaveLength(1);
  });

  it('listCollections filters by name with nameOnly, and returns batches', async () => {
    await db.createCollection('plain');
    const cursor = db.listCollections({ type: 'collection' }, { nameOnly: true, batchSize: 1 });
    const names = (await cursor.toArray()).map((info) => info.name);
    expect(names.sort()).toEqual(['clustered', 'plain']);
    const reply = await db.command({
      listCollections: 1,
      nameOnly: true,
      authorizedCollections: true,
      filter: { 'options.clusteredIndex': { $exists: true } },
    });
    expect((reply['cursor'] as Document)['firstBatch']).toEqual([]);
    await expect(
      db.listCollections({ 'options.clusteredIndex': { $exists: true } }).toArray(),
    ).resolves.toHaveLength(1);
  });

  describe('in a transaction', () => {
    it('created collections and indexes are visible to others after the commit, and removed after an abort', async () => {
      for (const outcome of ['commit', 'abort', 'commit'] as const) {
        await db.dropCollection('born').catch(() => undefined);
        await store.client.withSession(async (session) => {
          session.startTransaction();
          await db.createCollection('born', { session, validator: { a: 1 } });
          await db.collection('born').createIndex({ a: 1 }, { session });
          await db.collection('grown').createIndex({ b: 1 }, { session });
          await db.collection('born').insertOne({ a: 1 }, { session });
          await expect(db.collection('born').findOne({ a: 1 }, { session })).resolves.toMatchObject({ a: 1 });
          expect(await listed('born')).toEqual([]);
          await expect(serverError(db.collection('born').indexes())).resolves.toMatchObject({ code: 26 });
          if (outcome === 'commit') await session.commitTransaction();
          else await session.abortTransaction();
        });
        expect(await listed('born')).toHaveLength(outcome === 'commit' ? 1 : 0);
        expect(await listed('grown')).toHaveLength(outcome === 'commit' ? 1 : 0);
        await db.dropCollection('grown').catch(() => undefined);
      }
      await expect(db.collection('born').indexes()).resolves.toMatchObject([
        { name: '_id_' },
        { name: 'a_1' },
      ]);
    });

    it('a collection that others have inserted into remains after an abort, without the aborted writes', async () => {
      await store.client.withSession(async (session) => {
        session.startTransaction();
        await db.collection<{ _id: number }>('shared').insertOne({ _id: 1 }, { session });
        await db.collection<{ _id: number }>('shared').insertOne({ _id: 2 });
        await session.abortTransaction();
        session.startTransaction();
        await expect(db.collection('shared').find({}, { session }).toArray()).resolves.toEqual([{ _id: 2 }]);
        await session.commitTransaction();
      });
      expect(await listed('shared')).toHaveLength(1);
    });

    it('is rejected for existing collections and for collections with documents', async () => {
      await db.collection('there').insertOne({});
      const attempt = (work: (session: ReturnType<typeof store.client.startSession>) => Promise<unknown>) =>
        store.client.withSession(async (session) => {
          session.startTransaction();
          return serverError(work(session));
        });
      await expect(attempt((session) => db.createCollection('there', { session }))).resolves.toMatchObject({
        code: 48,
        message: 'Collection catalog.there already exists.',
      });
      await expect(
        attempt((session) => db.collection('there').createIndex({ a: 1 }, { session })),
      ).resolves.toMatchObject({
        code: 263,
        message:
          'Cannot create new indexes on existing collection catalog.there in a multi-document transaction.',
      });
      await expect(
        attempt(async (session) => {
          await db.collection('filled').insertOne({}, { session });
          await db.collection('filled').createIndex({ a: 1 }, { session });
        }),
      ).resolves.toMatchObject({
        code: 263,
        message:
          'Cannot create new indexes on non-empty collection catalog.filled in a multi-document transaction.',
      });
      await expect(
        attempt((session) => db.createCollection('v', { viewOn: 'there', pipeline: [], session })),
      ).resolves.toMatchObject({ code: 263 });
    });
  });
});
