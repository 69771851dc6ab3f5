import { type Connection, mongo } from 'mongoose';
import { createLogger } from '../logging/index.js';
import { type CollectionReport, IndexManager } from './index-manager.js';

/** The report on one collection, from a server with this response to `$collStats`. */
async function reportWith(stats: () => Promise<unknown[]>): Promise<CollectionReport | undefined> {
  const collection = {
    collectionName: 'messages',
    indexes: () => Promise.resolve([{ name: '_id_', key: { _id: 1 } }]),
    aggregate: () => ({ toArray: stats }),
  };
  const model = { collection, schema: { indexes: () => [] }, createIndexes: () => Promise.resolve() };
  const connection = {
    modelNames: () => ['Message'],
    model: () => model,
    db: {
      listCollections: () => ({ toArray: () => Promise.resolve([{ name: 'messages' }]) }),
      collection: () => collection,
    },
  } as unknown as Connection;
  const [report] = await new IndexManager(
    connection,
    createLogger({ level: 'silent', pretty: false }),
  ).ensure();
  return report;
}

describe('the index report', () => {
  it('adds up the figures of all shards', async () => {
    const shard = (count: number, size: number, bytes: number): unknown => ({
      storageStats: { count, size, indexSizes: { _id_: bytes } },
    });
    const report = await reportWith(() => Promise.resolve([shard(3, 300, 30), shard(4, 400, 40)]));
    expect(report).toMatchObject({ documents: 7, dataBytes: 700, indexes: [{ name: '_id_', bytes: 70 }] });
  });

  it('omits figures that the server does not provide', async () => {
    const error = new mongo.MongoServerError({ message: 'Aggregation stage not supported', code: 304 });
    const report = await reportWith(() => Promise.reject(error));
    expect(report).toEqual({
      collection: 'messages',
      indexes: [{ name: '_id_', key: { _id: 1 }, created: false, undeclared: false }],
    });
  });
});
