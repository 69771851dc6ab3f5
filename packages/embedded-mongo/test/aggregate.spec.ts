import { type Document, Double, Int32, Long, type MongoServerError } from 'mongodb';
import { openTestStore, type TestStore } from './store.js';

let test: TestStore;

const items = [
  { _id: 1, kind: 'a', n: 3, tags: ['x', 'y'], sub: { v: 1, w: 2 }, at: new Date('2026-01-01T00:00:00Z') },
  { _id: 2, kind: 'b', n: 1, tags: [], sub: { v: 2 }, at: new Date('2026-01-02T00:00:00Z') },
  { _id: 3, kind: 'a', n: 2, sub: [{ v: 3 }, { v: 4, w: 5 }], at: new Date('2026-01-04T00:00:00Z') },
  { _id: 4, kind: 'c', n: null, tags: ['z'] },
];
const people = [
  { _id: 'anna', boss: null },
  { _id: 'ben', boss: 'anna' },
  { _id: 'cleo', boss: 'ben' },
  { _id: 'dan', boss: 'ben' },
];

beforeAll(async () => {
  test = await openTestStore();
  const db = test.client.db('agg');
  await db.collection('items').insertMany(items as Document[]);
  await db.collection('people').insertMany(people as unknown as Document[]);
  await db.collection('types').insertMany([
    { k: new Int32(1), v: new Int32(2_000_000_000) },
    { k: Long.fromNumber(1), v: new Int32(2_000_000_000) },
    { k: new Double(1), v: Long.fromString('9223372036854775807') },
  ]);
});

afterAll(() => test.close());

const run = (pipeline: Document[], coll = 'items', options = {}): Promise<Document[]> =>
  test.client.db('agg').collection(coll).aggregate(pipeline, options).toArray();

const codeOf = async (pipeline: Document[]): Promise<unknown> =>
  run(pipeline).then(
    () => undefined,
    (error: unknown) => (error as MongoServerError).code,
  );

it.each<[string, Document[], Document[]]>([
  [
    '$project includes, computes and projects fields in arrays',
    [{ $match: { _id: { $in: [1, 3] } } }, { $project: { 'sub.w': 1, twice: { $multiply: ['$n', 2] } } }],
    [
      { _id: 1, sub: { w: 2 }, twice: 6 },
      { _id: 3, sub: [{}, { w: 5 }], twice: 4 },
    ],
  ],
  [
    '$project excludes fields',
    [{ $match: { _id: 1 } }, { $project: { sub: { v: 0 }, tags: 0, at: 0 } }],
    [{ _id: 1, kind: 'a', n: 3, sub: { w: 2 } }],
  ],
  [
    '$project omits a computed field that is $$REMOVE',
    [{ $project: { n: { $cond: [{ $gt: ['$n', 1] }, '$n', '$$REMOVE'] } } }],
    [{ _id: 1, n: 3 }, { _id: 2 }, { _id: 3, n: 2 }, { _id: 4 }],
  ],
  [
    '$set changes each element and keeps the other fields',
    [{ $match: { _id: 3 } }, { $set: { 'sub.k': '$kind' } }, { $project: { sub: 1, _id: 0 } }],
    [
      {
        sub: [
          { v: 3, k: 'a' },
          { v: 4, w: 5, k: 'a' },
        ],
      },
    ],
  ],
  [
    '$unset removes',
    [{ $match: { _id: 3 } }, { $unset: ['at', 'sub.v', 'n'] }],
    [{ _id: 3, kind: 'a', sub: [{}, { w: 5 }] }],
  ],
  [
    '$unwind includes the index and can keep empty arrays',
    [
      { $unwind: { path: '$tags', includeArrayIndex: 'i', preserveNullAndEmptyArrays: true } },
      { $project: { tags: 1, i: 1 } },
    ],
    [
      { _id: 1, tags: 'x', i: 0 },
      { _id: 1, tags: 'y', i: 1 },
      { _id: 2, i: null },
      { _id: 3, i: null },
      { _id: 4, tags: 'z', i: 0 },
    ],
  ],
  [
    '$group gathers',
    [
      { $sort: { _id: 1 } },
      {
        $group: {
          _id: '$kind',
          count: { $count: {} },
          sum: { $sum: '$n' },
          avg: { $avg: '$n' },
          first: { $first: '$_id' },
          last: { $last: '$_id' },
          min: { $min: '$n' },
          ids: { $push: '$_id' },
          two: { $topN: { n: 2, sortBy: { n: 1 }, output: '$n' } },
        },
      },
      { $sort: { _id: 1 } },
    ],
    [
      { _id: 'a', count: 2, sum: 5, avg: 2.5, first: 1, last: 3, min: 2, ids: [1, 3], two: [2, 3] },
      { _id: 'b', count: 1, sum: 1, avg: 1, first: 2, last: 2, min: 1, ids: [2], two: [1] },
      { _id: 'c', count: 1, sum: 0, avg: null, first: 4, last: 4, min: null, ids: [4], two: [null] },
    ],
  ],
  [
    '$group groups missing fields under null',
    [{ $group: { _id: '$nowhere', n: { $sum: 1 } } }],
    [{ _id: null, n: 4 }],
  ],
  [
    '$group by a document omits missing fields',
    [{ $group: { _id: { t: { $size: { $ifNull: ['$tags', []] } }, x: '$nowhere' } } }, { $sort: { _id: 1 } }],
    [{ _id: { t: 0 } }, { _id: { t: 1 } }, { _id: { t: 2 } }],
  ],
  [
    '$bucket with a default',
    [
      {
        $bucket: {
          groupBy: '$n',
          boundaries: [1, 2, 3],
          default: 'other',
          output: { ids: { $push: '$_id' } },
        },
      },
    ],
    [
      { _id: 1, ids: [2] },
      { _id: 2, ids: [3] },
      { _id: 'other', ids: [1, 4] },
    ],
  ],
  [
    '$bucketAuto',
    [{ $match: { n: { $gt: 0 } } }, { $bucketAuto: { groupBy: '$n', buckets: 2 } }],
    [
      { _id: { min: 1, max: 3 }, count: 2 },
      { _id: { min: 3, max: 3 }, count: 1 },
    ],
  ],
  ['$replaceWith', [{ $match: { _id: 1 } }, { $replaceWith: '$sub' }], [{ v: 1, w: 2 }]],
  [
    '$skip and $limit in either order',
    [{ $sort: { _id: 1 } }, { $limit: 3 }, { $skip: 1 }, { $limit: 5 }, { $project: { _id: 1 } }],
    [{ _id: 2 }, { _id: 3 }],
  ],
  [
    '$limit before $sort and $match',
    [{ $limit: 2 }, { $sort: { _id: -1 } }, { $match: { n: 3 } }, { $project: { _id: 1 } }],
    [{ _id: 1 }],
  ],
  [
    '$sort and $limit of computed fields',
    [{ $set: { m: { $ifNull: ['$n', 9] } } }, { $sort: { m: -1 } }, { $limit: 2 }, { $project: { m: 1 } }],
    [
      { _id: 4, m: 9 },
      { _id: 1, m: 3 },
    ],
  ],
  ['$count', [{ $match: { kind: 'a' } }, { $count: 'many' }], [{ many: 2 }]],
  ['$count of nothing', [{ $match: { kind: 'none' } }, { $count: 'many' }], []],
  [
    '$redact',
    [
      { $match: { _id: 1 } },
      { $project: { sub: 1 } },
      { $redact: { $cond: [{ $eq: ['$v', 1] }, '$$PRUNE', '$$DESCEND'] } },
    ],
    [{ _id: 1 }],
  ],
  [
    '$unionWith',
    [
      { $match: { _id: 1 } },
      { $project: { _id: 1 } },
      { $unionWith: { coll: 'people', pipeline: [{ $match: { boss: null } }] } },
    ],
    [{ _id: 1 }, { _id: 'anna', boss: null }],
  ],
  [
    '$lookup with fields and a pipeline',
    [
      { $match: { _id: 1 } },
      {
        $lookup: {
          from: 'people',
          localField: 'none',
          foreignField: 'boss',
          pipeline: [{ $project: { _id: 1 } }],
          as: 'who',
        },
      },
      { $project: { who: 1 } },
    ],
    [{ _id: 1, who: [{ _id: 'anna' }] }],
  ],
])('%s', async (_, pipeline, expected) => {
  expect(await run(pipeline)).toEqual(expected);
});

it('traverses a graph level by level', async () => {
  const [found] = await run(
    [
      { $match: { _id: 'anna' } },
      {
        $graphLookup: {
          from: 'people',
          startWith: '$_id',
          connectFromField: '_id',
          connectToField: 'boss',
          as: 'team',
          depthField: 'level',
        },
      },
    ],
    'people',
  );
  expect(found?.['team']).toEqual([
    { _id: 'ben', boss: 'anna', level: 0 },
    { _id: 'cleo', boss: 'ben', level: 1 },
    { _id: 'dan', boss: 'ben', level: 1 },
  ]);
});

it('keeps numeric types in sums, and widens them on overflow', async () => {
  const raw = { promoteValues: false };
  const [byKey] = await run([{ $group: { _id: '$k', n: { $sum: 1 } } }], 'types', raw);
  expect(byKey).toEqual({ _id: new Int32(1), n: new Int32(3) });
  const [long] = await run([{ $limit: 2 }, { $group: { _id: null, v: { $sum: '$v' } } }], 'types', raw);
  expect(long?.['v']).toEqual(Long.fromNumber(4_000_000_000));
  const [wide] = await run([{ $group: { _id: null, v: { $sum: '$v' } } }], 'types', raw);
  expect(wide?.['v']).toEqual(new Double(2 ** 63 + 4e9));
});

it('reads literal documents in an aggregation of the database', async () => {
  const found = await test.client
    .db('agg')
    .aggregate([{ $documents: [{ a: 1 }, { a: { $add: [1, 1] } }] }, { $match: { a: { $gt: 1 } } }])
    .toArray();
  expect(found).toEqual([{ a: 2 }]);
});

it('compares strings by the collation of the command', async () => {
  const options = { collation: { locale: 'en', strength: 2 } };
  expect(await run([{ $match: { kind: 'A' } }, { $project: { _id: 1 } }], 'items', options)).toHaveLength(2);
  expect(await run([{ $match: { kind: 'A' } }, { $project: { _id: 1 } }])).toHaveLength(0);
});

it('uses indexes for its first stages, as explain shows', async () => {
  const people = test.client.db('agg').collection('people');
  await people.createIndex({ boss: 1 });
  const plan = await people.aggregate([{ $match: { boss: 'ben' } }, { $group: { _id: '$boss' } }]).explain();
  expect(plan['stages']).toMatchObject([
    { $cursor: { queryPlanner: { winningPlan: { inputStage: { stage: 'IXSCAN', indexName: 'boss_1' } } } } },
    { $group: { _id: '$boss' } },
  ]);
});

it('fails when a stage uses more than 100 MiB', async () => {
  const wide = test.client.db('agg').collection('wide');
  await wide.insertMany(Array.from({ length: 30 }, (_, n) => ({ n, text: 'x'.repeat(4_000_000) })));
  expect(
    await run([{ $group: { _id: '$n', size: { $sum: { $strLenBytes: '$text' } } } }], 'wide'),
  ).toHaveLength(30);
  await expect(run([{ $group: { _id: null, all: { $push: '$text' } } }], 'wide')).rejects.toMatchObject({
    code: 292,
  });
  await wide.drop();
});

it.each<[Document[], number]>([
  [[{ $match: 5 }], 15959],
  [[{ $match: {}, $sort: {} }], 40323],
  [[{ $limit: 0 }], 15958],
  [[{ $project: {} }], 51272],
  [[{ $project: { a: 1, b: 0 } }], 31254],
  [[{ $group: { n: { $sum: 1 } } }], 15955],
  [[{ $group: { _id: 1, n: { $nope: 1 } } }], 15952],
  [[{ $unwind: 'tags' }], 28818],
  [[{ $out: 'x' }, { $match: {} }], 40601],
  [[{ $facet: { a: [{ $out: 'x' }] } }], 40600],
  [[{ $set: { a: { $nope: 1 } } }], 168],
  [[{ $replaceWith: '$n' }], 40228],
])('rejects %j with code %i', async (pipeline, code) => {
  expect(await codeOf(pipeline)).toBe(code);
});
