import type { Collection, Document } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

const point = (...coordinates: number[]) => ({ type: 'Point', coordinates });
const square = (low: number, high: number): number[][] => [
  [low, low],
  [high, low],
  [high, high],
  [low, high],
  [low, low],
];

describe('geospatial queries', () => {
  let test: TestStore;
  let places: Collection<Document & { _id: string }>;
  const ids = (docs: Document[]): unknown[] => docs.map(({ _id }) => _id as string);

  beforeAll(async () => {
    test = await openTestStore();
  });
  afterAll(() => test.close());

  beforeEach(async () => {
    places = test.client.db('geo').collection('places');
    await places.drop();
    await places.insertMany([
      { _id: 'origin', at: point(0, 0) },
      { _id: 'east', at: point(1, 0) },
      { _id: 'north', at: point(0, 3) },
      { _id: 'far', at: point(40, 5) },
      {
        _id: 'line',
        at: {
          type: 'LineString',
          coordinates: [
            [-1, 2],
            [2, 2],
          ],
        },
      },
      { _id: 'legacy', at: [10, 10] },
      { _id: 'none', at: null },
    ]);
  });

  it('finds what lies within a polygon, holes left out', async () => {
    const outer = { type: 'Polygon', coordinates: [square(-5, 5)] };
    const holed = { type: 'Polygon', coordinates: [square(-5, 5), square(-0.5, 0.5)] };
    const within = (shape: Document) =>
      places
        .find({ at: { $geoWithin: { $geometry: shape } } })
        .sort({ _id: 1 })
        .toArray();
    expect(ids(await within(outer))).toEqual(['east', 'line', 'north', 'origin']);
    expect(ids(await within(holed))).toEqual(['east', 'line', 'north']);
    const several = {
      type: 'MultiPolygon',
      coordinates: [[square(9, 11)], [square(2.5, 3.5).map(([x, y]) => [x! - 3, y!])]],
    };
    expect(ids(await within(several))).toEqual(['legacy', 'north']);
  });

  it('takes large polygons to be the smaller side of their edge', async () => {
    const half = {
      type: 'Polygon',
      coordinates: [
        [
          [-90, -80],
          [90, -80],
          [90, 80],
          [-90, 80],
          [-90, -80],
        ],
      ],
    };
    expect(await places.countDocuments({ at: { $geoWithin: { $geometry: half } } })).toBe(6);
  });

  it('finds what a shape meets', async () => {
    const crossing = {
      type: 'LineString',
      coordinates: [
        [0.5, 1],
        [0.5, 4],
      ],
    };
    expect(ids(await places.find({ at: { $geoIntersects: { $geometry: crossing } } }).toArray())).toEqual([
      'line',
    ]);
    expect(ids(await places.find({ at: { $geoIntersects: { $geometry: point(40, 5) } } }).toArray())).toEqual(
      ['far'],
    );
    const collection = { type: 'GeometryCollection', geometries: [point(0, 3), point(1, 0)] };
    expect(
      ids(
        await places
          .find({ at: { $geoIntersects: { $geometry: collection } } })
          .sort({ _id: 1 })
          .toArray(),
      ),
    ).toEqual(['east', 'north']);
  });

  it('knows the plane shapes, by both names of the operator', async () => {
    const found = async (shape: Document) =>
      ids(
        await places
          .find({ at: { $within: shape } })
          .sort({ _id: 1 })
          .toArray(),
      );
    expect(
      await found({
        $box: [
          [-1, -1],
          [1, 1],
        ],
      }),
    ).toEqual(['east', 'origin']);
    expect(
      await found({
        $polygon: [
          [-1, -1],
          [2, -1],
          [0, 4],
        ],
      }),
    ).toEqual(['east', 'north', 'origin']);
    expect(await found({ $center: [[10, 10], 0.1] })).toEqual(['legacy']);
    expect(await found({ $centerSphere: [[0, 0], (3.1 * Math.PI) / 180] })).toEqual([
      'east',
      'line',
      'north',
      'origin',
    ]);
  });

  it('sorts by distance, in metres for GeoJSON', async () => {
    await places.createIndex({ at: '2dsphere' });
    expect(ids(await places.find({ at: { $near: { $geometry: point(0.9, 0) } } }).toArray())).toEqual([
      'east',
      'origin',
      'line',
      'north',
      'legacy',
      'far',
    ]);
    const ring = { $geometry: point(0, 0), $minDistance: 1000, $maxDistance: 200_000 };
    expect(ids(await places.find({ at: { $nearSphere: ring } }).toArray())).toEqual(['east']);
    const radians = { $nearSphere: [0, 0], $maxDistance: 0.02 };
    expect(ids(await places.find({ at: radians }).toArray())).toEqual(['origin', 'east']);
    const sorted = await places
      .find({ at: { $near: { $geometry: point(0, 0) } } })
      .sort({ _id: 1 })
      .limit(2)
      .toArray();
    expect(ids(sorted)).toEqual(['east', 'far']);
  });

  it('has distance and place in the $geoNear stage', async () => {
    await places.createIndex({ at: '2dsphere' });
    const [first, ...more] = await places
      .aggregate([
        {
          $geoNear: {
            near: point(0, 1),
            distanceField: 'how.far',
            includeLocs: 'how.where',
            maxDistance: 300_000,
            query: { _id: { $ne: 'line' } },
            distanceMultiplier: 0.001,
          },
        },
        { $match: { _id: { $ne: 'east' } } },
        { $project: { how: 1, again: { $meta: 'geoNearDistance' } } },
      ])
      .toArray();
    expect(first).toMatchObject({ _id: 'origin', how: { where: point(0, 0) } });
    // One degree on a sphere with a radius of 6,378,100 m.
    expect((first?.how as Document).far).toBeCloseTo(111.3188, 3);
    expect(first?.again).toBeCloseTo(111_318.8, 0);
    expect(ids(more)).toEqual(['north']);
  });

  it('measures in the plane with a 2d index', async () => {
    const plane = test.client.db('geo').collection('plane');
    await plane.createIndex({ at: '2d' }, { min: -500, max: 500 });
    await plane.insertMany([
      { _id: 1 as never, at: { lng: 3, lat: 4 } },
      {
        _id: 2 as never,
        at: [
          [300, 400],
          [0, 1],
        ],
      },
    ]);
    const near = await plane.aggregate([{ $geoNear: { near: [0, 0], distanceField: 'd' } }]).toArray();
    expect(near.map(({ _id, d }) => [_id as number, d as number])).toEqual([
      [2, 1],
      [1, 5],
    ]);
    expect(await plane.find({ at: { $near: [0, 0], $maxDistance: 2 } }).toArray()).toHaveLength(1);
    const listed = (await plane.indexes()).find(({ name }) => name === 'at_2d');
    expect(listed).toMatchObject({ key: { at: '2d' }, min: -500, max: 500 });
    const outside = await serverError(plane.insertOne({ at: [501, 0] }));
    expect([outside.code, outside.message]).toEqual([
      13027,
      expect.stringContaining('point not in interval of [ -500, 500 ]'),
    ]);
  });

  it('checks places when they are written and when the index is made', async () => {
    await places.createIndex({ at: '2dsphere' });
    expect((await places.indexes())[1]).toMatchObject({ key: { at: '2dsphere' }, '2dsphereIndexVersion': 3 });
    for (const [at, reason] of [
      [{ type: 'Point' }, 'Point must be an array or object, instead got type missing'],
      [point(200, 0), 'Longitude/latitude is out of bounds, lng: 200 lat: 0'],
      [{ type: 'Blob', coordinates: [] }, 'unknown GeoJSON type: { type: "Blob", coordinates: [] }'],
      [
        {
          type: 'Polygon',
          coordinates: [
            [
              [0, 0],
              [1, 1],
              [1, 0],
            ],
          ],
        },
        'Loop is not closed',
      ],
      [
        {
          type: 'Polygon',
          coordinates: [
            [
              [0, 0],
              [1, 1],
              [1, 0],
              [0, 1],
              [0, 0],
            ],
          ],
        },
        'Edges 0 and 2 cross',
      ],
      ['here', 'geo element must be an array or object: "here"'],
    ] as const) {
      const error = await serverError(places.insertOne({ _id: 'bad', at }));
      expect([error.code, error.message]).toEqual([16755, expect.stringContaining(reason)]);
      expect(error.message).toContain("Can't extract geo keys: ");
    }
    await places.dropIndexes();
    await places.insertOne({ _id: 'bad', at: 'here' });
    expect((await serverError(places.createIndex({ at: '2dsphere' }))).code).toBe(16755);
  });

  it('refuses what MongoDB refuses', async () => {
    const near = { $geometry: point(0, 0) };
    const refusal = async (work: Promise<unknown>) => {
      const { code, message } = await serverError(work);
      return [code, message];
    };
    const find = (filter: Document) => refusal(places.find(filter).toArray());
    expect(await find({ at: { $near: near } })).toEqual([
      291,
      expect.stringContaining('unable to find index for $geoNear query'),
    ]);
    await places.createIndex({ at: '2dsphere' });
    expect(await find({ at: { $near: [0, 0] } })).toEqual([291, expect.stringContaining('field=at')]);
    expect(await find({ $or: [{ at: { $near: near } }, { x: 1 }] })).toEqual([
      2,
      'geo $near must be top-level expr',
    ]);
    expect(await find({ at: { $near: { $geometry: point(0, 100) } } })).toEqual([
      2,
      'invalid point in geo near query $geometry argument: { type: "Point", coordinates: [ 0, 100 ] }  Longitude/latitude is out of bounds, lng: 0 lat: 100',
    ]);
    expect(await find({ at: { $near: { $geometry: point(0, 0), $maxDistance: -1 } } })).toEqual([
      2,
      '$maxDistance must be non-negative',
    ]);
    expect(await find({ at: { $geoWithin: { $geometry: point(0, 0) } } })).toEqual([
      2,
      expect.stringContaining('$within not supported with provided geometry'),
    ]);
    expect(await find({ at: { $geoWithin: { $sphere: 1 } } })).toEqual([
      2,
      'unknown geo specifier: $sphere: 1',
    ]);
    expect(
      await find({
        at: {
          $geoIntersects: {
            $box: [
              [0, 0],
              [1, 1],
            ],
          },
        },
      }),
    ).toEqual([2, expect.stringContaining('$geoIntersect not supported')]);
    expect(await refusal(places.aggregate([{ $match: { at: { $near: near } } }]).toArray())).toEqual([
      5626500,
      expect.stringContaining('not allowed in this context'),
    ]);
    expect(await refusal(places.aggregate([{ $geoNear: { near: point(0, 0) } }]).toArray())).toEqual([
      16606,
      "$geoNear requires a 'distanceField' option as a String",
    ]);
    await places.dropIndexes();
    expect(
      await refusal(places.aggregate([{ $geoNear: { near: point(0, 0), distanceField: 'd' } }]).toArray()),
    ).toEqual([27, '$geoNear requires a 2d or 2dsphere index, but none were found']);
  });
});
