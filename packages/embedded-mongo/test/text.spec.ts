import type { Collection, Document } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

describe('text search', () => {
  let test: TestStore;
  let notes: Collection<Document & { _id: number }>;
  const ids = (docs: Document[]): unknown[] => docs.map(({ _id }) => _id as number);
  const search = async ($search: string, more: Document = {}): Promise<unknown[]> =>
    ids(
      await notes
        .find({ $text: { $search, ...more } })
        .sort({ _id: 1 })
        .toArray(),
    );

  beforeAll(async () => {
    test = await openTestStore();
  });
  afterAll(() => test.close());

  beforeEach(async () => {
    notes = test.client.db('words').collection('notes');
    await notes.drop();
    await notes.insertMany([
      { _id: 1, title: 'spam eggs and spam', body: 'nothing' },
      { _id: 2, title: 'spam' },
      { _id: 3, title: 'egg sausage and bacon', tags: ['Café', 'running late'] },
      { _id: 4, title: 'He was running to the coffee shop', deep: { note: 'hidden' } },
    ]);
  });

  it('finds stems, phrases and what is not refused, and scores as MongoDB does', async () => {
    await notes.createIndex({ title: 'text', tags: 'text' });
    expect(await search('eggs')).toEqual([1, 3]);
    expect(await search('runs shops')).toEqual([3, 4]);
    expect(await search('spam -eggs')).toEqual([2]);
    expect(await search('"coffee shop" spam')).toEqual([4]);
    expect(await search('running -"coffee shop"')).toEqual([3]);
    expect(await search('-spam')).toEqual([]);
    expect(await search('the and')).toEqual([]);
    const scored = await notes
      .find({ $text: { $search: 'spam' } }, { projection: { score: { $meta: 'textScore' } } })
      .sort({ score: { $meta: 'textScore' } })
      .toArray();
    expect(scored).toEqual([
      { _id: 1, title: 'spam eggs and spam', body: 'nothing', score: 1.25 },
      { _id: 2, title: 'spam', score: 1.1 },
    ]);
  });

  it('minds case and diacritics when asked to', async () => {
    await notes.createIndex({ '$**': 'text' });
    expect(await search('cafe hidden')).toEqual([3, 4]);
    expect(await search('cafe', { $diacriticSensitive: true })).toEqual([]);
    expect(await search('CAFÉ', { $diacriticSensitive: true })).toEqual([3]);
    expect(await search('café', { $caseSensitive: true })).toEqual([]);
    expect(await search('Café', { $caseSensitive: true })).toEqual([3]);
  });

  it('reads the documents of the terms alone, behind the values of the fields before the texts', async () => {
    await notes.insertMany(
      Array.from({ length: 50 }, (_, i) => ({ _id: 100 + i, kind: i % 5, title: `word${i} common` })),
    );
    await notes.createIndex({ kind: 1, title: 'text' });
    const filter = { kind: 2, $text: { $search: 'common' } };
    expect(await notes.countDocuments(filter)).toBe(10);
    const explained = await notes.find(filter).explain('executionStats');
    expect(explained.executionStats).toMatchObject({
      totalKeysExamined: 10,
      totalDocsExamined: 10,
      nReturned: 10,
    });
    const error = await serverError(notes.find({ $text: { $search: 'common' } }).toArray());
    expect([error.code, error.message]).toEqual([291, expect.stringContaining('failed to use text index')]);
    await notes.updateOne({ _id: 102 }, { $set: { title: 'changed' } });
    expect(await notes.countDocuments(filter)).toBe(9);
    expect(await notes.countDocuments({ kind: 2, $text: { $search: 'changes' } })).toBe(1);
  });

  it('lists the index with its weights, and weighs by them after a restart', async () => {
    await notes.createIndex(
      { title: 'text', body: 'text' },
      { weights: { title: 10 }, default_language: 'none', name: 'words' },
    );
    await test.reopen();
    notes = test.client.db('words').collection('notes');
    expect((await notes.indexes())[1]).toEqual({
      v: 2,
      key: { _fts: 'text', _ftsx: 1 },
      name: 'words',
      weights: { body: 1, title: 10 },
      default_language: 'none',
      language_override: 'language',
      textIndexVersion: 3,
    });
    const [found] = await notes
      .aggregate([
        { $match: { $text: { $search: 'spam nothing' } } },
        { $sort: { score: { $meta: 'textScore' } } },
        { $project: { _id: 1, score: { $meta: 'textScore' } } },
        { $limit: 1 },
      ])
      .toArray();
    // Four words without a language, so that "and" counts: 10 * 1.5 * 0.75, and 1.1 for the whole body.
    expect(found).toEqual({ _id: 1, score: 12.35 });
    expect(await search('egg')).toEqual([3]);
    const joined = await notes
      .aggregate([
        { $match: { _id: 2 } },
        {
          $lookup: {
            from: 'notes',
            pipeline: [
              { $match: { $text: { $search: 'sausage' } } },
              { $project: { score: { $meta: 'textScore' } } },
            ],
            as: 'found',
          },
        },
      ])
      .toArray();
    expect(joined[0]?.found).toEqual([{ _id: 3, score: 6.25 }]);
  });

  it('refuses what MongoDB refuses', async () => {
    const refusal = async (work: Promise<unknown>) => {
      const { code, message } = await serverError(work);
      return [code, message];
    };
    expect(await refusal(search('x'))).toEqual([27, 'text index required for $text query']);
    await notes.createIndex({ title: 'text' });
    expect(await refusal(notes.createIndex({ title: 'text', n: 1 }))).toEqual([
      67,
      'only one text index per collection allowed, found existing text index "title_text"',
    ]);
    expect((await refusal(notes.createIndex({ body: 'text' })))[0]).toBe(85);
    expect(await refusal(notes.createIndex({ a: 'text' }, { default_language: 'klingon' }))).toEqual([
      17264,
      'default_language is not valid',
    ]);
    expect(await refusal(search('x', { $language: 'klingon' }))).toEqual([
      2,
      'unsupported language: "klingon" for text index version 3',
    ]);
    expect(await refusal(search('x', { $language: 1 }))).toEqual([
      14,
      '"$language" had the wrong type. Expected string, found int',
    ]);
    expect(await refusal(notes.find({ $text: {} } as never).toArray())).toEqual([
      4,
      'Missing expected field "$search"',
    ]);
    expect(await refusal(notes.find({ $nor: [{ $text: { $search: 'x' } }] }).toArray())).toEqual([
      2,
      'text expression not allowed in nor',
    ]);
    expect(await refusal(notes.find({}, { projection: { s: { $meta: 'textScore' } } }).toArray())).toEqual([
      40218,
      'query requires text score metadata, but it is not available',
    ]);
    expect(
      await refusal(notes.find({}, { projection: { s: { $meta: 'nonsense' as never } } }).toArray()),
    ).toEqual([17308, 'Unsupported argument to $meta: nonsense']);
    expect(
      await refusal(
        notes
          .find({ $text: { $search: 'x' } })
          .hint('_id_')
          .toArray(),
      ),
    ).toEqual([2, 'text and hint not allowed in same query']);
    expect(
      await refusal(notes.aggregate([{ $skip: 1 }, { $match: { $text: { $search: 'x' } } }]).toArray()),
    ).toEqual([17313, '$match with $text is only allowed as the first pipeline stage']);
    expect((await refusal(notes.insertOne({ _id: 9, title: 'x', language: 'klingon' })))[0]).toBe(17262);
  });
});

describe('wildcard and hashed indexes', () => {
  let test: TestStore;
  beforeAll(async () => {
    test = await openTestStore();
  });
  afterAll(() => test.close());

  it('serves conditions on any path from a wildcard index', async () => {
    const things = test.client.db('wild').collection('things');
    await things.insertMany([
      { a: 1, b: { c: 'x' } },
      { a: [1, 2, { d: 5 }], b: { c: 'y' } },
      { a: 3, secret: 7 },
    ]);
    await things.createIndex({ '$**': 1 }, { wildcardProjection: { secret: 0 } });
    for (const [filter, count] of [
      [{ a: 1 }, 2],
      [{ 'b.c': 'y' }, 1],
      [{ 'a.d': { $gt: 4 } }, 1],
      [{ a: { $in: [2, 3] } }, 2],
    ] as const) {
      const explained = await things.find(filter).explain('executionStats');
      expect(explained.executionStats).toMatchObject({ nReturned: count, totalDocsExamined: count });
    }
    for (const filter of [{ secret: 7 }, { a: null }, { b: { c: 'x' } }]) {
      const explained = await things.find(filter).explain('queryPlanner');
      expect((explained.queryPlanner as Document).winningPlan).toMatchObject({ stage: 'COLLSCAN' });
    }
    expect(await things.countDocuments({ b: { c: 'x' } })).toBe(1);
    expect((await serverError(things.createIndex({ 'a.$**': 1 }, { unique: true }))).code).toBe(67);
    await things.dropIndex('$**_1');
    await things.createIndex({ 'b.$**': 1 });
    const explained = await things.find({ 'b.c': 'x' }).explain('executionStats');
    expect(explained.executionStats).toMatchObject({ totalKeysExamined: 1 });
  });

  it('serves equality from a hashed index, and refuses arrays', async () => {
    const things = test.client.db('wild').collection('hashed');
    await things.createIndex({ a: 'hashed' });
    await things.insertMany([{ a: 1 }, { a: 2 }, { b: 1 }]);
    expect((await things.indexes())[1]).toEqual({ v: 2, key: { a: 'hashed' }, name: 'a_hashed' });
    const explained = await things.find({ a: 2 }).explain('executionStats');
    expect(explained.executionStats).toMatchObject({ totalKeysExamined: 1, nReturned: 1 });
    const error = await serverError(things.insertOne({ a: [1] }));
    expect([error.code, error.message]).toEqual([
      16766,
      'hashed indexes do not currently support array values. Found array at path: a',
    ]);
    expect((await serverError(things.createIndex({ c: 'hashed' }, { unique: true }))).code).toBe(16764);
    expect((await serverError(things.createIndex({ c: 'nonsense' as never }))).message).toContain(
      "Unknown index plugin 'nonsense'",
    );
    await things.dropIndex({ a: 'hashed' } as never);
    expect(await things.indexes()).toHaveLength(1);
  });
});

describe('what a query knows of its documents', () => {
  let test: TestStore;
  beforeAll(async () => {
    test = await openTestStore();
  });
  afterAll(() => test.close());

  it('shows record id, sort key and index key, and finds $expr equality by index', async () => {
    const things = test.client.db('meta').collection<Document & { _id: number }>('things');
    await things.insertMany([
      { _id: 1, a: 5 },
      { _id: 2, a: 3 },
      { _id: 3, a: [5] },
    ]);
    await things.createIndex({ a: 1 });
    const projection = {
      _id: 1,
      k: { $meta: 'sortKey' },
      i: { $meta: 'indexKey' },
      r: { $meta: 'recordId' },
    } as never;
    expect(await things.find({ a: 3 }, { projection, sort: { a: -1 } }).toArray()).toEqual([
      { _id: 2, k: [3], i: { a: 3 }, r: 2 },
    ]);
    const explained = await things.find({ $expr: { $eq: ['$a', 5] } }).explain('executionStats');
    expect(explained.executionStats).toMatchObject({ totalKeysExamined: 2, nReturned: 1 });
    expect(await things.countDocuments({ $sampleRate: 1 })).toBe(3);
    expect(await things.countDocuments({ $sampleRate: 0 })).toBe(0);
    expect((await serverError(things.countDocuments({ $sampleRate: 2 }))).code).toBe(2);
    expect((await serverError(things.find({}).min({ a: 1 }).toArray())).code).toBe(51173);
    const natural = await serverError(
      things
        .find({})
        .sort({ $natural: 1, a: 1 } as never)
        .toArray(),
    );
    expect(natural.message).toContain("Cannot include '$natural' in compound sort");
  });
});
