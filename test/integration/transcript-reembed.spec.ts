import { Types } from 'mongoose';
import { EMBEDDER, type Embedder, EmbeddingError, encodeVector } from '../../src/search/index.js';
import {
  type NewTranscript,
  TranscriptReembedder,
  TranscriptService,
  TranscriptStore,
} from '../../src/transcript/index.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

/** Maps the number in a text to one dimension, shifted by an offset that differs between models. */
class WordEmbedder implements Embedder {
  readonly dimensions = 64;
  readonly asked: string[] = [];
  refuses: string | undefined;
  isUnavailable = false;

  constructor(
    readonly model: string,
    private readonly shift: number,
  ) {}

  embed(texts: readonly string[]): Promise<Float32Array[]> {
    if (this.isUnavailable) return Promise.reject(new EmbeddingError('unavailable', { retryable: true }));
    if (texts.some((text) => text === this.refuses))
      return Promise.reject(new EmbeddingError('refused', { retryable: false }));
    this.asked.push(...texts);
    return Promise.resolve(texts.map((text) => this.vector(text)));
  }

  private vector(text: string): Float32Array {
    const vector = new Float32Array(this.dimensions);
    vector[(Number(text.split(' ')[1]) + this.shift) % this.dimensions] = 1;
    return vector;
  }
}

describe('TranscriptReembedder', () => {
  let database: TestDatabase;
  let before: WordEmbedder;
  let after: WordEmbedder;
  let oldApp: TestApp;
  let newApp: TestApp;
  let secondApp: TestApp;
  let serial = 0;
  let tenantId: string;

  const start = (embedder: Embedder): Promise<TestApp> =>
    createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '20' }, { database, replace: [[EMBEDDER, embedder]] });

  beforeAll(async () => {
    database = createTestDatabase();
    before = new WordEmbedder('model-a', 0);
    after = new WordEmbedder('model-b', 7);
    oldApp = await start(before);
    newApp = await start(after);
    secondApp = await start(new WordEmbedder('model-b', 7));
  });
  beforeEach(async () => {
    // Removes the data of earlier tests.
    await database.collection('transcripts').deleteMany({});
    tenantId = `tenant-${++serial}`;
    after.asked.length = 0;
    after.refuses = undefined;
    after.isUnavailable = false;
  });
  afterAll(async () => {
    await Promise.all([oldApp, newApp, secondApp].map((app) => app.close()));
    await database.drop();
  });

  const row = (n: number, more: Partial<NewTranscript> = {}): NewTranscript => ({
    _id: new Types.ObjectId(),
    participantId: 'ana',
    channel: 'web',
    transcript: `text ${n}`,
    metadata: {},
    status: 'stored',
    createdAt: new Date(),
    ...more,
  });
  /** Stores rows with vectors of the old model. */
  async function fill(of: string, count: number): Promise<string[]> {
    const texts = Array.from({ length: count }, (_, n) => `text ${n}`);
    const vectors = await before.embed(texts);
    const rows = texts.map((_, n) =>
      row(n, { model: before.model, vector: encodeVector(vectors[n] ?? new Float32Array()) }),
    );
    await oldApp.app.get(TranscriptStore).insert(of, rows);
    return rows.map(({ _id }) => _id.toHexString());
  }
  const search = async ({ app }: TestApp, of: string, query: string): Promise<string[]> =>
    (await app.get(TranscriptService).search(of, { query, limit: 100 })).data.map(({ id }) => id);
  const searchBest = async (app: TestApp, of: string, query: string) => (await search(app, of, query))[0];
  const reembedder = () => newApp.app.get(TranscriptReembedder);
  const counts = async () => {
    const all: [string, string, number][] = [];
    for await (const { tenantId: of, model, transcripts } of reembedder().outdated())
      all.push([of, model, transcripts]);
    return all;
  };
  const models = async (of: string) =>
    (await database.collection('transcripts').find({ tenantId: of }).toArray()).map(
      ({ model }) => model as string | undefined,
    );

  it('resumes where it was interrupted; every search sees the new vectors, in other processes too', async () => {
    const ids = await fill(tenantId, 50);
    const other = `${tenantId}-other`;
    const otherIds = await fill(other, 5);
    // Loads both matrices into memory first: an empty one for the new model, one with all rows for the old
    // model.
    expect(await search(secondApp, tenantId, 'text 3')).toEqual([]);
    expect(await search(oldApp, tenantId, 'text 3')).toHaveLength(50);

    const controller = new AbortController();
    const first = await reembedder().run({
      batchSize: 10,
      signal: controller.signal,
      onProgress: () => {
        controller.abort();
      },
    });
    expect(first).toEqual({ reembedded: 10, rejected: 0, skipped: 0, isWhole: false });
    expect(await search(secondApp, tenantId, 'text 3')).toHaveLength(10);
    expect(await search(oldApp, tenantId, 'text 3')).toHaveLength(40);
    expect(await counts()).toEqual([
      [tenantId, 'model-a', 40],
      [other, 'model-a', 5],
    ]);

    const second = await reembedder().run({ batchSize: 10 });
    expect(second).toEqual({ reembedded: 45, rejected: 0, skipped: 0, isWhole: true });
    expect(after.asked).toHaveLength(55);
    expect(await counts()).toEqual([]);
    for (const app of [newApp, secondApp]) {
      expect((await search(app, tenantId, 'text 3')).toSorted()).toEqual(ids.toSorted());
      expect(await searchBest(app, tenantId, 'text 3')).toBe(ids[3]);
      expect(await searchBest(app, other, 'text 4')).toBe(otherIds[4]);
    }
    expect(await search(oldApp, tenantId, 'text 3')).toEqual([]);
  });

  it('skips transcripts that were deleted or re-embedded by another process while it embeds', async () => {
    const ids = await fill(tenantId, 4);
    const [deleted = '', taken = ''] = ids;
    const embed = after.embed.bind(after);
    jest.spyOn(after, 'embed').mockImplementationOnce(async (texts) => {
      await oldApp.app.get(TranscriptService).delete(tenantId, deleted);
      const [vector] = await embed(['text 60']);
      const item = { _id: new Types.ObjectId(taken), vector: encodeVector(vector ?? new Float32Array()) };
      expect(await secondApp.app.get(TranscriptStore).reembed(tenantId, 'model-a', 'model-b', [item])).toBe(
        1,
      );
      return embed(texts);
    });
    const result = await reembedder().run({ batchSize: 10 });
    expect(result).toEqual({ reembedded: 2, rejected: 0, skipped: 2, isWhole: true });
    expect(await database.collection('transcripts').countDocuments({ tenantId })).toBe(3);
    // The vectors written by the other process are kept.
    expect(await searchBest(secondApp, tenantId, 'text 60')).toBe(taken);
  });

  it('skips dead letters, and texts that the embedder rejects, which keep their vectors', async () => {
    const ids = await fill(tenantId, 5);
    await oldApp.app.get(TranscriptStore).insert(tenantId, [row(9, { status: 'failed', error: 'no' })]);
    after.refuses = 'text 2';
    const rejected: string[] = [];
    const result = await reembedder().run({
      batchSize: 3,
      onRejected: (of, id) => rejected.push(`${of} ${id}`),
    });
    expect(result).toEqual({ reembedded: 4, rejected: 1, skipped: 0, isWhole: true });
    expect(rejected).toEqual([`${tenantId} ${ids[2] ?? ''}`]);
    expect((await models(tenantId)).toSorted()).toEqual([
      'model-a',
      'model-b',
      'model-b',
      'model-b',
      'model-b',
      undefined,
    ]);
    expect(await searchBest(oldApp, tenantId, 'text 2')).toBe(ids[2]);
  });

  it('stops when the embedding service is unavailable, without changing anything', async () => {
    await fill(tenantId, 3);
    after.isUnavailable = true;
    await expect(reembedder().run({ batchSize: 10 })).rejects.toThrow('unavailable');
    expect(await models(tenantId)).toEqual(['model-a', 'model-a', 'model-a']);
  });
});

describe('a new version of the built-in embedder', () => {
  it('replaces the vectors of earlier versions when it starts, and no others', async () => {
    const database = createTestDatabase();
    const model = (name: string): Embedder => new WordEmbedder(name, 0);
    const begin = (embedder: Embedder): Promise<TestApp> =>
      createTestApp({}, { database, replace: [[EMBEDDER, embedder]] });
    const models = async (): Promise<unknown[]> =>
      (await database.collection('transcripts').find().toArray())
        .map((row) => row['model'] as unknown)
        .toSorted();
    const former = await begin(model('built-in-64-v1'));
    const rows = ['built-in-64-v1', 'built-in-64-v1', 'of-a-service'].map((name, n) => ({
      _id: new Types.ObjectId(),
      participantId: 'ana',
      channel: 'web',
      transcript: `text ${n}`,
      metadata: {},
      status: 'stored' as const,
      createdAt: new Date(),
      model: name,
      vector: encodeVector(new Float32Array(64).fill(0.125)),
    }));
    await former.app.get(TranscriptStore).insert('acme', rows);
    await former.close();
    const next = await begin(model('built-in-64-v2'));
    try {
      await eventually(async () => !(await models()).includes('built-in-64-v1'));
      expect(await models()).toEqual(['built-in-64-v2', 'built-in-64-v2', 'of-a-service']);
      const { data } = await next.app.get(TranscriptService).search('acme', { query: 'text 1', limit: 1 });
      expect(data.map(({ id }) => id)).toEqual([rows[1]?._id.toHexString()]);
    } finally {
      await next.close();
      await database.drop();
    }
  });
});
