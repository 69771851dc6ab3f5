import { createHash } from 'node:crypto';
import { type Collection, type Db, type Document, GridFSBucket } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

let test: TestStore;
let db: Db;
let coll: Collection<Document>;
let next = 0;

beforeAll(async () => {
  test = await openTestStore();
});
afterAll(() => test.close());
beforeEach(() => {
  db = test.client.db(`conformance${next++}`);
  coll = db.collection<Document>('c');
});

const insert = (...docs: Document[]): Promise<unknown> => coll.insertMany(docs);
const evaluate = async (expression: unknown): Promise<unknown> =>
  (await db.aggregate([{ $documents: [{}] }, { $project: { result: expression } }]).toArray())[0]?.['result'];

describe('documents with names that look like array indexes', () => {
  /** Field names in the order in which they are stored. */
  const names = async (pipeline: Document[]): Promise<string[]> => {
    const listing = { $map: { input: { $objectToArray: '$$ROOT' }, in: '$$this.k' } };
    const rows = await coll.aggregate([...pipeline, { $replaceWith: { names: listing } }]).toArray();
    return rows[0]?.['names'] as string[];
  };

  beforeEach(() =>
    insert(
      new Map<string, unknown>([
        ['_id', 1],
        ['b', 1],
        ['10', 2],
        ['2', new Map([['0', 'x']])],
      ]),
    ),
  );

  it('keep their order through updates, projections and stages', async () => {
    expect(await names([])).toEqual(['_id', 'b', '10', '2']);
    await coll.updateOne({ '2.0': 'x' }, { $set: { '5': 1, '2.1': 'y' }, $inc: { 10: 1 } });
    expect(await names([])).toEqual(['_id', 'b', '10', '2', '5']);
    expect(await names([{ $project: { b: 1, 2: 1 } }])).toEqual(['_id', 'b', '2']);
    expect(await names([{ $unset: '10' }, { $addFields: { 1: '$5' } }])).toEqual(['_id', 'b', '2', '5', '1']);
    expect(await coll.findOne()).toEqual({ _id: 1, b: 1, 10: 3, 2: { 0: 'x', 1: 'y' }, 5: 1 });
  });

  it('are indexed, found, renamed and reported by their names', async () => {
    expect(await coll.createIndex({ 10: 1 }, { unique: true })).toBe('10_1');
    expect(await coll.distinct('10')).toEqual([2]);
    const error = await serverError(coll.insertOne({ 10: 2 }));
    expect(error).toMatchObject({ code: 11000, keyPattern: { 10: 1 }, keyValue: { 10: 2 } });
    expect(error.message).toContain('dup key: { 10: 2 }');
    await coll.updateOne({ 10: 2 }, { $rename: { 10: '11' } });
    expect(await coll.findOne({ 11: 2 }, { projection: { _id: 0, 11: 1 } })).toEqual({ 11: 2 });
    await coll.updateOne({ 10: 1 }, { $set: { a: 1 } }, { upsert: true });
    expect(await coll.findOne({ 10: 1 }, { projection: { _id: 0 } })).toEqual({ 10: 1, a: 1 });
  });
});

describe('indexes', () => {
  it('rejects filters of partial indexes that MongoDB does not support', async () => {
    const create = (partialFilterExpression: Document): Promise<string> =>
      coll.createIndex({ a: 1 }, { partialFilterExpression });
    for (const filter of [{ a: { $exists: false } }, { a: /x/ }, { $nor: [{ a: 1 }] }, { a: { $size: 1 } }]) {
      expect(await serverError(create(filter))).toMatchObject({ code: 67 });
    }
    await create({ $or: [{ a: { $exists: true } }, { a: { $in: [1] } }], b: { $type: 'string', $gte: 'x' } });
  });

  it('distinguishes indexes by keys and kind, not by options', async () => {
    await coll.createIndex({ a: 1 }, { expireAfterSeconds: 5, background: true });
    await coll.createIndex({ a: 1 }, { name: 'unique', unique: true });
    await coll.createIndex({ a: 1 }, { name: 'sparse', sparse: true });
    expect(await serverError(coll.createIndex({ a: 1 }, { unique: true }))).toMatchObject({ code: 86 });
    expect(await serverError(coll.createIndex({ a: 1 }))).toMatchObject({ code: 85 });
    expect(await serverError(coll.createIndex({ a: 1 }, { name: 'x', sparse: true }))).toMatchObject({
      code: 85,
      message: 'Index already exists with a different name: sparse',
    });
    expect((await coll.indexes())[1]).toMatchObject({ name: 'a_1', background: true });
  });
});

describe('error messages with the location of the error', () => {
  it('are returned by findAndModify, find and aggregate, with details and codes', async () => {
    await coll.createIndex({ a: 1 }, { unique: true });
    await insert({ _id: 1, a: 1, x: [1] }, { _id: 2, a: 2 });
    expect(await serverError(coll.findOneAndUpdate({ a: 2 }, { $set: { a: 1 } }))).toMatchObject({
      code: 11000,
      keyValue: { a: 1 },
      message: expect.stringMatching(
        /^Plan executor error during findAndModify :: caused by :: E11000 duplicate key error/,
      ) as string,
    });
    const ns = `${db.databaseName}.c`;
    const bad = { projection: { 'x.$': 1 } };
    expect((await serverError(coll.find({ a: 1 }, bad).toArray())).message).toContain(
      `Executor error during find command: ${ns} :: caused by :: `,
    );
    const divide = [{ $project: { x: { $divide: ['$a', 0] } } }];
    expect((await serverError(coll.aggregate(divide).toArray())).message).toBe(
      `Executor error during aggregate command on namespace: ${ns} :: caused by :: can't $divide by zero`,
    );
  });

  it.each<[Document, number, string]>([
    [
      { $project: { a: { $nope: 1 } } },
      168,
      "Invalid $project :: caused by :: Unrecognized expression '$nope'",
    ],
    [{ $set: { a: { $nope: 1 } } }, 168, "Invalid $set :: caused by :: Unrecognized expression '$nope'"],
    [
      { $addFields: {} },
      40177,
      'Invalid $addFields :: caused by :: specification must have at least one field',
    ],
    [{ $limit: 0 }, 15958, 'the limit must be positive'],
    [
      { $limit: -1 },
      5107201,
      'invalid argument to $limit stage: Expected a non-negative number in: $limit: -1',
    ],
  ])('%j', async (stage, code, message) => {
    await insert({ _id: 1 });
    const error = await serverError(coll.aggregate([stage]).toArray());
    expect(error.code).toBe(code);
    expect(error.message).toBe(message);
  });

  it('$replaceRoot shows value, type and document', async () => {
    await insert({ _id: 1 });
    const error = await serverError(coll.aggregate([{ $replaceRoot: { newRoot: '$x' } }]).toArray());
    expect(error.message).toContain(
      "resulting value was: MISSING. Type of resulting value: 'missing'. Input document: {_id: 1}",
    );
  });
});

describe('projections, updates and stages', () => {
  it('$elemMatch does not affect whether other fields are included', async () => {
    await insert({ _id: 1, a: [1, 5], b: 1, c: 1 });
    const find = (projection: Document): Promise<unknown> => coll.findOne({}, { projection });
    expect(await find({ a: { $elemMatch: { $gt: 2 } }, b: 0 })).toEqual({ _id: 1, a: [5], c: 1 });
    expect(await find({ a: { $elemMatch: { $gt: 2 } } })).toEqual({ _id: 1, a: [5] });
    expect(await find({ a: { $elemMatch: { $gt: 2 } }, b: 1 })).toEqual({ _id: 1, a: [5], b: 1 });
  });

  it('$pop names a path that cannot be created; other removals ignore it', async () => {
    await insert({ _id: 1, a: [1], b: 'x' });
    const update = (change: Document): Promise<unknown> => coll.updateOne({}, change);
    expect(await serverError(update({ $pop: { 'a.-1': 1 } }))).toMatchObject({
      code: 28,
      message: 'Cannot use the part (-1) of (a.-1) to traverse the element ({a: [ 1 ]})',
    });
    expect(await serverError(update({ $pop: { 'b.c': 1 } }))).toMatchObject({ code: 28 });
    await update({ $pop: { 'z.c': 1 } });
    await update({ $unset: { 'b.c': 1 }, $pull: { 'a.x': 1 } });
    expect(await coll.findOne()).toEqual({ _id: 1, a: [1], b: 'x' });
  });

  it('$out bypasses the validator on request', async () => {
    await db.createCollection('strict', { validator: { a: { $exists: true } } });
    await insert({ _id: 1 });
    const run = (options: Document): Promise<unknown> =>
      coll.aggregate([{ $out: 'strict' }], options).toArray();
    expect(await serverError(run({}))).toMatchObject({ code: 121 });
    await run({ bypassDocumentValidation: true });
    expect(await db.collection('strict').countDocuments()).toBe(1);
  });

  it('$bucketAuto rounds boundaries to a series', async () => {
    await insert(...Array.from({ length: 100 }, (_, n) => ({ _id: n })));
    const run = (granularity: string, buckets = 5): Promise<Document[]> =>
      coll.aggregate([{ $bucketAuto: { groupBy: '$_id', buckets, granularity } }]).toArray();
    expect(await run('R5')).toEqual([
      { _id: { min: 0, max: 25 }, count: 25 },
      { _id: { min: 25, max: 63 }, count: 38 },
      { _id: { min: 63, max: 100 }, count: 37 },
    ]);
    expect((await run('POWERSOF2', 100))[0]).toEqual({ _id: { min: 0, max: 0.5 }, count: 1 });
  });
});

describe('updates of fields whose names start with a dollar sign', () => {
  it('may change them in embedded documents and insert them at the top level, but not change them there', async () => {
    const numbered = db.collection<Document & { _id: number }>('c');
    const upsert = (_id: number): Promise<unknown> =>
      numbered.updateOne({ _id, 'a.$b': 1 }, { $set: { $hotel: 320 } }, { upsert: true });
    await upsert(1);
    expect(await numbered.findOne({ 'a.$b': 1 })).toEqual({ _id: 1, a: { $b: 1 }, $hotel: 320 });
    await numbered.updateOne({ _id: 1 }, { $set: { 'a.$b': 2 } });
    expect(await serverError(numbered.updateOne({ _id: 1 }, { $set: { $hotel: 1 } }))).toMatchObject({
      code: 52,
    });
    const { $hotel, ...rest } = (await numbered.findOneAndUpdate({}, { $inc: { 'a.$b': 1 } }))!;
    expect([$hotel, rest]).toEqual([320, { _id: 1, a: { $b: 2 } }]);
    const setField = { field: { $literal: '$hotel' }, input: '$$ROOT', value: 5 };
    await numbered.updateOne({ _id: 1 }, [{ $replaceWith: { $setField: setField } }]);
    expect(await numbered.findOne()).toEqual({ _id: 1, a: { $b: 3 }, $hotel: 5 });
  });
});

describe('conversions', () => {
  it('convert between text and binary data', async () => {
    const binary = (text: string, format: string, to: unknown = 'binData'): unknown => ({
      $convert: { input: text, to, format },
    });
    const round = async (text: string, format: string, to?: unknown): Promise<unknown> =>
      evaluate({ $convert: { input: binary(text, format, to), to: 'string', format } });
    for (const [text, format] of [
      ['aGVsbG8=', 'base64'],
      ['aGVsbG8', 'base64url'],
      ['68656C6C6F', 'hex'],
      ['héllo', 'utf8'],
    ] as const)
      expect(await round(text, format)).toBe(text);
    const uuid = '867dee52-c331-484e-92d1-c56479b8e67e';
    expect(await round(uuid, 'uuid', { type: 'binData', subtype: 4 })).toBe(uuid);
    expect(await round(uuid, 'auto', { type: 'binData', subtype: 4 })).toBe(uuid);
  });

  it.each<[Document, number]>([
    [{ input: 'x', to: 'binData' }, 4341115],
    [{ input: 'x', to: 'binData', format: 'nope' }, 4341125],
    [{ input: 'x', to: 'binData', format: 5 }, 4341114],
    [{ input: '*', to: 'binData', format: 'base64' }, 241],
    [{ input: '867dee52-c331-484e-92d1-c56479b8e67e', to: 'binData', format: 'uuid' }, 241],
    [{ input: 'abc', to: 'int' }, 241],
    [{ input: '20177-02-09', to: 'date' }, 241],
  ])('rejects %j', async (operand, code) => {
    expect(await serverError(evaluate({ $convert: operand }))).toMatchObject({ code });
    if (code === 241) expect(await evaluate({ $convert: { ...operand, onError: 'no' } })).toBe('no');
  });

  it('$arrayToObject requires entries of the same shape', async () => {
    const mixed = (entries: unknown[]): Promise<unknown> =>
      evaluate({ $arrayToObject: { $literal: entries } });
    expect(await serverError(mixed([['a', 1], { k: 'b', v: 2 }]))).toMatchObject({ code: 40396 });
    expect(await serverError(mixed([{ k: 'b', v: 2 }, ['a', 1]]))).toMatchObject({ code: 40391 });
  });
});

describe('commands of older clients', () => {
  it('filemd5 hashes the chunks of a file', async () => {
    const bucket = new GridFSBucket(db, { chunkSizeBytes: 10 });
    const stream = bucket.openUploadStream('f');
    await new Promise<void>((resolve, reject) => {
      stream.on('finish', resolve).on('error', reject);
      stream.end(Buffer.from('more than ten bytes'));
    });
    const md5 = createHash('md5').update('more than ten bytes').digest('hex');
    expect(await db.command({ filemd5: stream.id, root: 'fs' })).toMatchObject({ numChunks: 2, md5 });
    await db.collection('fs.chunks').deleteOne({ n: 0 });
    expect(await serverError(db.command({ filemd5: stream.id }))).toMatchObject({ code: 10040 });
  });

  it('usersInfo reports no users', async () => {
    expect(await db.command({ usersInfo: 1 })).toMatchObject({ users: [], ok: 1 });
    expect(await db.command({ dropAllUsersFromDatabase: 1 })).toMatchObject({ n: 0, ok: 1 });
    expect(await serverError(db.command({ createUser: 'x', pwd: 'x', roles: [] }))).toMatchObject({
      code: 115,
    });
  });
});
