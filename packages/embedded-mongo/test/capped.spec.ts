import { Long, type Db, type Document } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

interface Item {
  _id: number;
  text?: string;
}

describe('capped collections', () => {
  let store: TestStore;
  let db: Db;
  let named = 0;

  beforeAll(async () => {
    store = await openTestStore();
    db = store.client.db('capped');
  });

  afterAll(() => store.close());

  const make = (options: Document) => db.createCollection<Item>(`c${named++}`, { capped: true, ...options });
  const ids = async (name: string): Promise<number[]> =>
    (await db.collection<Item>(name).find().toArray()).map(({ _id }) => _id);
  const items = (...of: number[]): Item[] => of.map((_id) => ({ _id }));

  it('keeps the newest documents within `max`, in the order of insertion, with their indexes', async () => {
    const c = await make({ size: 100_000, max: 3 });
    await c.createIndex({ text: 1 }, { unique: true, sparse: true });
    await c.insertMany([
      { _id: 9, text: 'old' },
      { _id: 3 },
      { _id: 5 },
      { _id: 1 },
      { _id: 2, text: 'new' },
    ]);
    expect(await ids(c.collectionName)).toEqual([5, 1, 2]);
    await expect(c.find().sort({ $natural: -1 }).toArray()).resolves.toMatchObject(items(2, 1, 5));
    await c.insertOne({ _id: 9, text: 'old' });
    await expect(c.countDocuments({})).resolves.toBe(3);
    await expect(c.findOne({ text: 'old' })).resolves.toMatchObject({ _id: 9 });
    await expect(serverError(c.insertOne({ _id: 2 }))).resolves.toMatchObject({ code: 11000 });
    expect(await ids(c.collectionName)).toEqual([1, 2, 9]);
  });

  it('keeps the newest documents within `size` bytes, and accepts deletes and growing updates', async () => {
    const c = await make({ size: 4096 });
    const text = 'x'.repeat(1000);
    for (let _id = 0; _id < 6; _id++) await c.insertOne({ _id, text });
    expect(await ids(c.collectionName)).toEqual([3, 4, 5]);
    await c.deleteOne({ _id: 4 });
    await c.updateOne({ _id: 3 }, { $set: { text: 'y'.repeat(2500) } });
    expect(await ids(c.collectionName)).toEqual([3, 5]);
    await c.insertOne({ _id: 6, text: 'z'.repeat(9000) });
    expect(await ids(c.collectionName)).toEqual([6]);
  });

  it('reports its limits, changes them with collMod, and can be converted from a plain collection', async () => {
    const c = await make({ size: 1000.7, max: 0 });
    const options = async (name: string): Promise<Document | undefined> =>
      (await db.listCollections({ name }).toArray()).map((info) =>
        'options' in info ? info.options : {},
      )[0];
    expect(await options(c.collectionName)).toEqual({ capped: true, size: 1000, max: 2147483647 });
    await db.command({ collMod: c.collectionName, cappedSize: Long.fromNumber(5000), cappedMax: 2 });
    expect(await options(c.collectionName)).toEqual({ capped: true, size: 5000, max: 2 });
    await expect(db.command({ collStats: c.collectionName, scale: 10 })).resolves.toMatchObject({
      capped: true,
      max: 2,
      maxSize: 500,
    });
    await c.insertMany(items(1, 2, 3));
    expect(await ids(c.collectionName)).toEqual([2, 3]);

    const plain = db.collection<Item>('plain');
    await plain.createIndex({ text: 1 });
    await plain.insertMany(Array.from({ length: 50 }, (_, _id) => ({ _id, text: 'x'.repeat(200) })));
    await db.command({ convertToCapped: 'plain', size: 1200 });
    expect(await options('plain')).toEqual({ capped: true, size: 1200 });
    expect(await ids('plain')).toEqual([45, 46, 47, 48, 49]);
    await expect(plain.indexes()).resolves.toHaveLength(1);
    await expect(plain.isCapped()).resolves.toBe(true);
  });

  it.each<[Document, number, string]>([
    [{ create: 'x', capped: true }, 72, "the 'size' field is required when 'capped' is true"],
    [
      { create: 'x', size: 5 },
      72,
      "the 'capped' field needs to be true when either the 'size' or 'max' fields are present",
    ],
    [{ create: 'x', capped: true, size: 0 }, 51024, "BSON field 'size' value must be >= 1, actual value '0'"],
    [
      { create: 'x', capped: true, size: 9, max: 2 ** 31 },
      51024,
      "BSON field 'max' value must be < 2147483648, actual value '2147483648'",
    ],
    [
      { create: 'x', capped: true, size: 'a' },
      14,
      "BSON field 'create.size' is the wrong type 'string', expected types '[double, int, long, decimal]'",
    ],
    [{ create: 'x', cappedSize: 5 }, 40415, "BSON field 'create.cappedSize' is an unknown field."],
    [
      { create: 'x', validationLevel: 'sometimes' },
      2,
      "Enumeration value 'sometimes' for field 'create.validationLevel' is not a valid value.",
    ],
    [
      { create: 'x', idIndex: { key: { a: 1 } } },
      2,
      "The field 'key' for an _id index must be {_id: 1}, but got { a: 1 }",
    ],
    [{ collMod: 'nothing', cappedSize: 5000 }, 26, 'ns does not exist: capped.nothing'],
    [{ find: 'nothing', filter: { a: { $bad: 1 } } }, 2, 'unknown operator: $bad'],
    [
      { create: 'system.views' },
      73,
      "Invalid namespace specified 'capped.system.views': views can only be created with the create command",
    ],
    [{ find: 'x', awaitData: true }, 9, "Cannot set 'awaitData' without also setting 'tailable'"],
    [
      { find: 'x', tailable: true, sort: { a: 1 } },
      2,
      'cannot use tailable option with a sort other than {$natural: 1}',
    ],
  ])('rejects %j', async (command, code, message) => {
    await expect(serverError(db.command(command))).resolves.toMatchObject({ code, message });
  });

  it('accepts a repeated create only with the same options', async () => {
    const c = await make({ size: 4096, max: 5 });
    const create = { create: c.collectionName, max: 5, capped: true, size: 4096.5 };
    await expect(db.command(create)).resolves.toMatchObject({ ok: 1 });
    const error = await serverError(db.command({ ...create, size: 8192 }));
    expect(error.code).toBe(48);
    expect(error.message).toMatch(
      /^namespace capped\.c\d+ already exists, but with different options: \{ uuid: UUID\("[-0-9a-f]{36}"\), capped: true, size: 4096, max: 5 \}$/,
    );
  });

  it('cannot be written to in transactions', async () => {
    const c = await make({ size: 4096 });
    await c.insertOne({ _id: 1 });
    await store.client.withSession(async (session) => {
      session.startTransaction();
      await expect(serverError(c.insertOne({ _id: 2 }, { session }))).resolves.toMatchObject({
        code: 263,
        message: `Collection 'capped.${c.collectionName}' is a capped collection. Writes in transactions are not allowed on capped collections.`,
      });
      await session.abortTransaction();
      session.startTransaction();
      const deletes = [{ q: { _id: 1 }, limit: 1 }];
      await expect(db.command({ delete: c.collectionName, deletes }, { session })).resolves.toMatchObject({
        writeErrors: [{ code: 20 }],
      });
      await session.abortTransaction();
    });
  });

  describe('tailable cursors', () => {
    const open = async (name: string, more: Document = {}): Promise<Document> =>
      (await db.command({ find: name, tailable: true, ...more }))['cursor'] as Document;
    const more = async (name: string, id: unknown, options: Document = {}): Promise<Document> =>
      (await db.command({ getMore: Long.fromString(String(id)), collection: name, ...options }))[
        'cursor'
      ] as Document;

    it('return documents that are inserted later', async () => {
      const c = await make({ size: 4096 });
      await c.insertMany(items(1, 2));
      const first = await open(c.collectionName, { filter: { _id: { $gt: 1 } } });
      expect(first['firstBatch']).toEqual(items(2));
      await expect(more(c.collectionName, first['id'])).resolves.toMatchObject({
        nextBatch: [],
        id: first['id'],
      });
      await c.insertMany(items(3, 0, 4));
      await expect(more(c.collectionName, first['id'])).resolves.toMatchObject({ nextBatch: items(3, 4) });
      const error = await serverError(more(c.collectionName, first['id'], { maxTimeMS: 5 }));
      expect(error.message).toBe('cannot set maxTimeMS on getMore command for a non-awaitData cursor');
    });

    it('are closed immediately on an empty or missing collection, and rejected on a plain one', async () => {
      const c = await make({ size: 4096 });
      expect(Number((await open(c.collectionName))['id'])).toBe(0);
      expect(Number((await open('missing'))['id'])).toBe(0);
      await db.collection<Item>('flat').insertOne({ _id: 1 });
      const error = await serverError(open('flat'));
      expect(error.code).toBe(2);
      expect(error.message).toContain('tailable cursor requested on non capped collection');
    });

    it('are closed when their position is overwritten or the collection is dropped', async () => {
      const c = await make({ size: 4096, max: 2 });
      await c.insertMany(items(1, 2));
      const lost = await open(c.collectionName);
      const dropped = await open(c.collectionName);
      await c.insertMany(items(3, 4));
      const error = await serverError(more(c.collectionName, lost['id']));
      expect(error).toMatchObject({ code: 136, codeName: 'CappedPositionLost' });
      expect(error.message).toMatch(
        /position in capped collection being deleted\. Last seen record id: RecordId\(2\)/,
      );
      await c.drop();
      await expect(serverError(more(c.collectionName, dropped['id']))).resolves.toMatchObject({ code: 175 });
    });

    it('are not closed by the time limit of their find', async () => {
      const c = await make({ size: 4096 });
      await c.insertOne({ _id: 1 });
      const cursor = await open(c.collectionName, { awaitData: true, maxTimeMS: 40 });
      const wait = () => more(c.collectionName, cursor['id'], { maxTimeMS: 50 });
      await expect(wait()).resolves.toMatchObject({ nextBatch: [] });
      await c.insertOne({ _id: 2 });
      await expect(wait()).resolves.toMatchObject({ nextBatch: items(2) });
    });

    it('wait for data, and return on an insert or when the collection is dropped', async () => {
      const c = await make({ size: 4096 });
      await c.insertOne({ _id: 1 });
      const waiting = await open(c.collectionName, { awaitData: true });
      const hour = { maxTimeMS: 3_600_000 };
      const next = more(c.collectionName, waiting['id'], hour);
      await c.insertOne({ _id: 2 });
      await expect(next).resolves.toMatchObject({ nextBatch: items(2) });
      await expect(more(c.collectionName, waiting['id'], { maxTimeMS: 1 })).resolves.toMatchObject({
        nextBatch: [],
      });
      const ended = serverError(more(c.collectionName, waiting['id'], hour));
      await c.drop();
      await expect(ended).resolves.toMatchObject({ code: 175 });
    });
  });
});
