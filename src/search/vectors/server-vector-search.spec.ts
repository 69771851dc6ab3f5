import { mongo } from 'mongoose';
import { type AggregatedCollection, searchPipeline, ServerVectorSearch } from './server-vector-search.js';

const QUERY = Float32Array.of(0.5, -0.5);

/** A collection that returns these rows for each aggregation, or fails with this error. */
function collectionOf(answer: mongo.Document[] | Error): AggregatedCollection & { seen: mongo.Document[][] } {
  const seen: mongo.Document[][] = [];
  return {
    seen,
    aggregate: (pipeline) => {
      seen.push(pipeline);
      return { toArray: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)) };
    },
  };
}

const logger = { warn: jest.fn() };

describe('searchPipeline', () => {
  it('filters by tenant and model only if there is no other filter', () => {
    expect(searchPipeline('the-index', 'acme', 'model-1', QUERY, { limit: 5 })).toEqual([
      {
        $vectorSearch: {
          index: 'the-index',
          path: 'vector',
          queryVector: [0.5, -0.5],
          filter: { tenantId: 'acme', model: 'model-1' },
          numCandidates: 200,
          limit: 5,
        },
      },
      { $project: { _id: 1, score: { $meta: 'vectorSearchScore' } } },
    ]);
  });

  it('applies the filter before searching', () => {
    const since = Date.UTC(2026, 0, 1);
    const until = Date.UTC(2026, 1, 1);
    const [stage] = searchPipeline('i', 'acme', 'm', QUERY, {
      limit: 100,
      channel: 'web',
      participantId: 'ana',
      since,
      until,
    });
    expect(stage?.['$vectorSearch']).toMatchObject({
      filter: {
        tenantId: 'acme',
        model: 'm',
        channel: 'web',
        participantId: 'ana',
        createdAt: { $gte: new Date(since), $lt: new Date(until) },
      },
      numCandidates: 2000,
      limit: 100,
    });
  });

  it('requests no more candidates than servers allow', () => {
    const [stage] = searchPipeline('i', 'acme', 'm', QUERY, { limit: 1000 });
    expect(stage?.['$vectorSearch']).toMatchObject({ numCandidates: 10_000 });
  });
});

describe('ServerVectorSearch', () => {
  beforeEach(() => {
    logger.warn.mockReset();
  });

  it('returns cosines, best first, equal ones by id', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((digit) => new mongo.ObjectId(digit.repeat(24)));
    const collection = collectionOf([
      { _id: b, score: 0.75 },
      { _id: c, score: 1 },
      { _id: a, score: 0.75 },
    ]);
    const search = new ServerVectorSearch(collection, 'i', logger);
    expect(await search.search('acme', 'm', QUERY, { limit: 3 })).toEqual([
      { id: 'c'.repeat(24), score: 1 },
      { id: 'a'.repeat(24), score: 0.5 },
      { id: 'b'.repeat(24), score: 0.5 },
    ]);
    expect(collection.seen).toEqual([searchPipeline('i', 'acme', 'm', QUERY, { limit: 3 })]);
  });

  it('returns nothing for a zero vector, without querying', async () => {
    const collection = collectionOf(new Error('must not be queried'));
    const search = new ServerVectorSearch(collection, 'i', logger);
    expect(await search.search('acme', 'm', new Float32Array(2), { limit: 3 })).toEqual([]);
  });

  it('fails to start on a server without vector search, with a reason', async () => {
    const search = new ServerVectorSearch(collectionOf(new Error('Unrecognized stage')), 'i', logger);
    await expect(search.onModuleInit()).rejects.toThrow(
      /^VECTOR_SEARCH=atlas: .*not support vector search \(Unrecognized stage\)\. Set VECTOR_SEARCH=memory/,
    );
  });

  it('starts if the index exists, and warns if it is not queryable', async () => {
    await new ServerVectorSearch(collectionOf([{ name: 'i', queryable: true }]), 'i', logger).onModuleInit();
    expect(logger.warn).not.toHaveBeenCalled();
    await new ServerVectorSearch(collectionOf([]), 'i', logger).onModuleInit();
    expect(logger.warn).toHaveBeenCalledWith({ index: 'i', status: 'missing' }, expect.any(String));
  });
});
