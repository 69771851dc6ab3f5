import type { Db } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

describe('views', () => {
  let store: TestStore;
  let db: Db;

  beforeAll(async () => {
    store = await openTestStore();
    db = store.client.db('views');
    await db
      .collection<{ _id: number; g: number; v: number }>('src')
      .insertMany(Array.from({ length: 10 }, (_, _id) => ({ _id, g: _id % 3, v: _id * 10 })));
    await db
      .collection<{ _id: number; g: number }>('other')
      .insertMany([0, 1, 2].map((g) => ({ _id: g, g })));
    await db.createCollection('v1', { viewOn: 'src', pipeline: [{ $match: { g: 1 } }] });
    await db.createCollection('v4', { viewOn: 'v1', pipeline: [{ $project: { v: 1, g: 1 } }] });
  });

  afterAll(() => store.close());

  const ids = async (name: string): Promise<unknown[]> =>
    (await db.collection(name).find().toArray()).map(({ _id }) => _id);

  it('supports find, count, distinct and aggregate, in batches and through a view of a view', async () => {
    const v4 = db.collection('v4');
    expect(await ids('v4')).toEqual([1, 4, 7]);
    await expect(
      v4
        .find({ v: { $gt: 10 } }, { sort: { v: -1 }, skip: 1, limit: 5, batchSize: 1, projection: { v: 1 } })
        .toArray(),
    ).resolves.toEqual([{ _id: 4, v: 40 }]);
    await expect(v4.find({}, { batchSize: 1 }).toArray()).resolves.toHaveLength(3);
    await expect(v4.countDocuments({ v: { $gt: 10 } })).resolves.toBe(2);
    await expect(v4.estimatedDocumentCount()).resolves.toBe(3);
    await expect(v4.distinct('v', { v: { $lt: 70 } })).resolves.toEqual([10, 40]);
    await expect(v4.aggregate([{ $group: { _id: '$g', n: { $sum: 1 } } }]).toArray()).resolves.toEqual([
      { _id: 1, n: 3 },
    ]);
    await expect(v4.find({}, { sort: { $natural: -1 } }).toArray()).resolves.toMatchObject([
      { _id: 7 },
      { _id: 4 },
      { _id: 1 },
    ]);
    await expect(db.command({ explain: { find: 'v4' }, verbosity: 'queryPlanner' })).resolves.toMatchObject({
      ok: 1,
    });
  });

  it('can be joined by $lookup, $graphLookup and $unionWith', async () => {
    const joined = (stage: object) =>
      db
        .collection('other')
        .aggregate([stage, { $project: { n: { $size: '$m' } } }, { $sort: { _id: 1 } }])
        .map(({ n }) => Number(n))
        .toArray();
    await expect(
      joined({ $lookup: { from: 'v1', localField: 'g', foreignField: 'g', as: 'm' } }),
    ).resolves.toEqual([0, 3, 0]);
    await expect(
      joined({ $lookup: { from: 'v4', pipeline: [{ $match: { v: 40 } }], as: 'm' } }),
    ).resolves.toEqual([1, 1, 1]);
    await expect(
      joined({
        $graphLookup: {
          from: 'v1',
          startWith: '$g',
          connectFromField: 'g',
          connectToField: 'g',
          as: 'm',
          maxDepth: 0,
        },
      }),
    ).resolves.toEqual([0, 3, 0]);
    await expect(
      db
        .collection('other')
        .aggregate([{ $unionWith: 'v1' }, { $count: 'n' }])
        .toArray(),
    ).resolves.toEqual([{ n: 6 }]);
  });

  it('is listed with its definition, and so is system.views', async () => {
    const listed = await db.listCollections({ type: 'view' }).toArray();
    expect(listed).toContainEqual({
      name: 'v4',
      type: 'view',
      options: { viewOn: 'v1', pipeline: [{ $project: { v: 1, g: 1 } }] },
      info: { readOnly: true },
    });
    await expect(
      db.listCollections({ name: 'system.views' }, { nameOnly: true }).toArray(),
    ).resolves.toHaveLength(1);
    await expect(
      db.collection<{ _id: string }>('system.views').find({ _id: 'views.v1' }).toArray(),
    ).resolves.toEqual([{ _id: 'views.v1', viewOn: 'src', pipeline: [{ $match: { g: 1 } }] }]);
    await expect(db.stats()).resolves.toMatchObject({ views: 2, collections: 2 });
  });

  const refused = 'Namespace views.v1 is a view, not a collection';
  it.each<[string, () => Promise<unknown>, number, string]>([
    ['insert', () => db.collection('v1').insertOne({}), 166, refused],
    ['update', () => db.collection('v1').updateOne({}, { $set: { a: 1 } }), 166, refused],
    ['upsert', () => db.collection('v1').updateOne({}, { $set: { a: 1 } }, { upsert: true }), 166, refused],
    ['delete', () => db.collection('v1').deleteMany({}), 166, refused],
    ['findAndModify', () => db.collection('v1').findOneAndDelete({}), 166, refused],
    ['createIndexes', () => db.collection('v1').createIndex({ v: 1 }), 166, refused],
    ['listIndexes', () => db.collection('v1').listIndexes().toArray(), 166, refused],
    ['dropIndexes', () => db.command({ dropIndexes: 'v1', index: '*' }), 166, refused],
    ['collStats', () => db.command({ collStats: 'v1' }), 166, refused],
    ['convertToCapped', () => db.command({ convertToCapped: 'v1', size: 4096 }), 166, refused],
    ['validate', () => db.command({ validate: 'v1' }), 166, 'Cannot validate a view'],
    [
      '$out',
      () =>
        db
          .collection('other')
          .aggregate([{ $out: 'v1' }])
          .toArray(),
      166,
      refused,
    ],
    [
      '$merge',
      () =>
        db
          .collection('other')
          .aggregate([{ $merge: 'v1' }])
          .toArray(),
      166,
      refused,
    ],
    [
      '$collStats',
      () =>
        db
          .collection('v1')
          .aggregate([{ $collStats: {} }])
          .toArray(),
      166,
      refused,
    ],
    ['rename', () => db.renameCollection('v1', 'v2'), 166, 'cannot rename view: views.v1'],
    [
      'rename over it',
      () => db.renameCollection('other', 'v1', { dropTarget: true }),
      48,
      'a view already exists with that name: views.v1',
    ],
    [
      'tailable',
      () => db.collection('v1').find({}, { tailable: true }).toArray(),
      168,
      'Tailable cursors are not supported in aggregation.',
    ],
    [
      'min',
      () =>
        db
          .collection('v1')
          .find({}, { min: { v: 1 }, hint: { v: 1 } })
          .toArray(),
      168,
      'Option min not supported in aggregation.',
    ],
    [
      'another collation',
      () =>
        db
          .collection('v1')
          .find({}, { collation: { locale: 'fr' } })
          .toArray(),
      167,
      "Cannot override a view's default collation",
    ],
  ])('rejects %s', async (_, work, code, message) => {
    await expect(serverError(work())).resolves.toMatchObject({ code, message });
  });

  it.each<[object, number, string]>([
    [{ create: 'bad', pipeline: [] }, 72, "'pipeline' requires 'viewOn' to also be specified"],
    [{ create: 'bad', viewOn: 'src', capped: true, size: 1 }, 72, 'viewOn'],
    [{ create: 'bad', viewOn: '', pipeline: [] }, 2, "'viewOn' cannot be empty"],
    [
      { create: 'bad', viewOn: 'src', pipeline: [{ $nope: 1 }] },
      40324,
      "Unrecognized pipeline stage name: '$nope'",
    ],
    [
      { create: 'bad', viewOn: 'src', pipeline: [{ $merge: 'x' }] },
      167,
      'The aggregation stage $merge in location 0 of the pipeline',
    ],
    [
      { create: 'bad', viewOn: 'src', pipeline: [{ $changeStream: {} }] },
      167,
      '$changeStream cannot be used in a view definition',
    ],
    [
      { create: 'bad', viewOn: 'bad', pipeline: [] },
      5,
      'View cycle detected: views.bad => views.bad => views.bad',
    ],
    [
      { create: 'bad', viewOn: 'v1', collation: { locale: 'fr' } },
      167,
      'View views.bad has conflicting collation with view views.v1',
    ],
    [{ create: 'v1', viewOn: 'other', pipeline: [] }, 48, 'already exists'],
    [
      { collMod: 'v1', viewOn: 'v4', pipeline: [] },
      5,
      'View cycle detected: views.v1 => views.v1 => views.v4 => views.v1',
    ],
    [
      { collMod: 'v1', pipeline: [{ $lookup: { from: 'v4', pipeline: [], as: 'x' } }] },
      5,
      'View cycle detected',
    ],
    [{ collMod: 'src', viewOn: 'other', pipeline: [] }, 72, 'option only supported on a view: pipeline'],
    [{ collMod: 'v1', validator: { a: 1 } }, 72, 'option not supported on a view: validator'],
  ])('rejects %j', async (command, code, message) => {
    const error = await serverError(db.command(command));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  it('can be changed with collMod, keeps its collation, survives a restart and can be dropped', async () => {
    await db.collection<{ _id: string }>('words').insertMany([{ _id: 'a' }, { _id: 'A' }, { _id: 'b' }]);
    const collation = { locale: 'en', strength: 2 };
    await db.createCollection('folded', { viewOn: 'words', pipeline: [{ $match: { _id: 'a' } }], collation });
    expect(await ids('folded')).toEqual(['a', 'A']);
    await db.command({ collMod: 'folded', pipeline: [{ $match: { _id: 'B' } }] });
    await store.reopen();
    db = store.client.db('views');
    expect(await ids('folded')).toEqual(['b']);
    await expect(db.command({ drop: 'folded' })).resolves.not.toHaveProperty('nIndexesWas');
    expect(await ids('folded')).toEqual([]);
    await expect(db.listCollections({ name: 'words' }).toArray()).resolves.toHaveLength(1);
  });

  it('can be nested twenty levels deep, and no deeper', async () => {
    for (let level = 0; level < 20; level++)
      await db.createCollection(`deep${level}`, { viewOn: `deep${level + 1}`, pipeline: [] });
    const error = await serverError(db.createCollection('deep20', { viewOn: 'src', pipeline: [] }));
    expect(error).toMatchObject({ code: 165, message: 'View depth limit exceeded; maximum depth is 20' });
    await db.collection<{ _id: number }>('deep20').insertOne({ _id: 5 });
    expect(await ids('deep0')).toEqual([5]);
    await db.command({ drop: 'system.views' });
    await expect(db.listCollections({ type: 'view' }).toArray()).resolves.toEqual([]);
  });
});
