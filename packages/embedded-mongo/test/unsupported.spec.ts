import type { Db, Document } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

describe('unsupported features', () => {
  let store: TestStore;
  let db: Db;

  beforeAll(async () => {
    store = await openTestStore();
    db = store.client.db('unsupported');
    await db.collection('c').insertOne({ at: [1, 2] });
  });

  afterAll(() => store.close());

  const find = (filter: Document): Document => ({ find: 'c', filter });
  const aggregate = (stage: Document): Document => ({ aggregate: 'c', pipeline: [stage], cursor: {} });
  const index = (type: string): Document => ({
    createIndexes: 'c',
    indexes: [{ key: { a: type }, name: 'a' }],
  });
  const point = { $geometry: { type: 'Point', coordinates: [1, 2] } };

  it.each<[string, Document]>([
    ['$where', find({ $where: 'true' })],
    ['$text', find({ $text: { $search: 'x' } })],
    ['$text', find({ $or: [{ a: 1 }, { $text: { $search: 'x' } }] })],
    ['$geoWithin', find({ at: { $geoWithin: { $box: [0, 1] } } })],
    ['$within', find({ at: { $within: { $box: [0, 1] } } })],
    ['$geoIntersects', find({ at: { $geoIntersects: point } })],
    ['$near', find({ at: { $near: point, $maxDistance: 5 } })],
    ['$nearSphere', find({ at: { $nearSphere: point } })],
    ['$geoNear', find({ at: { $geoNear: [1, 2] } })],
    ['$function', find({ $expr: { $function: { body: 'f', args: [], lang: 'js' } } })],
    ['$meta', { find: 'c', projection: { score: { $meta: 'textScore' } } }],
    ['$meta', { find: 'c', sort: { score: { $meta: 'textScore' } } }],
    ['$where', { delete: 'c', deletes: [{ q: { $where: 'true' }, limit: 0 }] }],
    ['$geoNear', aggregate({ $geoNear: { near: [1, 2], distanceField: 'd' } })],
    ['$setWindowFields', aggregate({ $setWindowFields: { output: {} } })],
    ['$densify', aggregate({ $densify: {} })],
    ['$fill', aggregate({ $fill: { output: {} } })],
    ['$search', aggregate({ $search: {} })],
    ['$accumulator', aggregate({ $group: { _id: 1, n: { $accumulator: {} } } })],
    ['$toHashedIndexKey', aggregate({ $set: { h: { $toHashedIndexKey: '$a' } } })],
    ["an index of type 'text'", index('text')],
    ["an index of type '2d'", index('2d')],
    ["an index of type '2dsphere'", index('2dsphere')],
    ["an index of type 'hashed'", index('hashed')],
    ['a time series collection', { create: 'series', timeseries: { timeField: 'at' } }],
    ['a time series collection', { collMod: 'c', timeseries: { granularity: 'hours' } }],
    ['mapReduce', { mapReduce: 'c', map: 'm', reduce: 'r', out: { inline: 1 } }],
    ['apiStrict', { ping: 1, apiVersion: '1', apiStrict: true }],
  ])('rejects %s in %j', async (feature, command) => {
    const reply = db.command(command);
    const refusal = {
      code: 115,
      message: expect.stringContaining(`${feature} is not supported by the embedded store`) as string,
    };
    if ('delete' in command) await expect(reply).resolves.toMatchObject({ writeErrors: [{ code: 115 }] });
    else
      await expect(serverError(reply)).resolves.toMatchObject({
        ...refusal,
        codeName: 'CommandNotSupported',
      });
  });

  it('serves clients that name a version of the stable API, unless they require it strictly', async () => {
    const client = await store.connect({ serverApi: { version: '1', deprecationErrors: true } });
    await expect(client.db('unsupported').collection('c').countDocuments()).resolves.toBe(1);
  });
});
