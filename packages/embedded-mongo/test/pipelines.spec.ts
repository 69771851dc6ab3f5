import { type Collection, type Document, Double, Int32, Long } from 'mongodb';
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
  coll = test.client.db('pipelines').collection(`c${names}`);
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

  it('groups equal numbers of different types together', async () => {
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
    const stock = test.client.db('pipelines').collection(`${coll.collectionName}_stock`);
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

  it('computes several results with $facet and $bucket', async () => {
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
        .db('pipelines')
        .collection(target)
        .find({}, { sort: { _id: 1 } })
        .toArray(),
    ).toEqual([
      { _id: 'a', n: 2 },
      { _id: 'b', n: 1 },
      { _id: 'c', n: 1, more: true },
    ]);
  });

  it('returns its result batch by batch', async () => {
    const found = await coll
      .aggregate([{ $sort: { at: -1 } }, { $addFields: { k: 1 } }], { batchSize: 1 })
      .toArray();
    expect(found.map(({ item }) => item as string)).toEqual(['c', 'a', 'b', 'a']);
  });

  it('rejects an unknown stage', async () => {
    expect((await serverError(coll.aggregate([{ $nothing: 1 }]).toArray())).code).toBe(40324);
  });
});
