import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { BuiltInEmbedder } from '../../src/search/embedding/built-in.embedder.js';
import { ThreadedEmbedder } from '../../src/search/embedding/threaded.embedder.js';
import { builtEntry } from '../support/process.js';

/** Too few for the words of a text of half a million characters that all differ, and enough for a dialogue. */
const SMALL_HEAP_MB = 24;

const dialogue = (i: number): string =>
  `${i}: I need a Café in Łódź at ${i % 12}:30, for $${i}.99. हिन्दी 漢字 `.repeat(3 + (i % 20));

const bytesOf = (vectors: Float32Array[]): Buffer[] =>
  vectors.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));

describe('the thread of the built-in embedder', () => {
  let threads: Worker[];
  let embedder: ThreadedEmbedder;

  const open = (resourceLimits = {}): ThreadedEmbedder =>
    new ThreadedEmbedder({
      startThread: () => {
        const thread = new Worker(builtEntry('search/embedding/embedder-thread.js'), { resourceLimits });
        threads.push(thread);
        return thread;
      },
    });

  beforeEach(() => {
    threads = [];
    embedder = open();
  });

  afterEach(() => embedder.stop());

  it('gives the same bytes as the calling thread, to each call its own', async () => {
    const batches = [0, 1, 2, 3].map((batch) =>
      Array.from({ length: 50 }, (_, i) => dialogue(batch * 50 + i)),
    );
    const vectors = await Promise.all(batches.map((texts) => embedder.embed(texts)));
    const expected = await new BuiltInEmbedder().embed(batches.flat());
    expect(bytesOf(vectors.flat())).toEqual(bytesOf(expected));
    expect(threads).toHaveLength(1);
  });

  it('serves calls in their order, and not those that were aborted', async () => {
    const done: string[] = [];
    const controller = new AbortController();
    const long = 'some words that differ '.repeat(20_000);
    const call = (name: string, texts: string[], signal?: AbortSignal): Promise<unknown> =>
      embedder.embed(texts, signal).then(
        () => done.push(name),
        () => done.push(`${name} aborted`),
      );
    const calls = [
      call('first', [long]),
      call('second', [long, long, long], controller.signal),
      call('third', [dialogue(1).repeat(10)]),
    ];
    controller.abort();
    await Promise.all(calls);
    expect(done).toEqual(['second aborted', 'first', 'third']);
  });

  it('goes on with another thread after one was ended from outside', async () => {
    const texts = [dialogue(19)];
    await embedder.embed(texts);
    await threads[0]?.terminate();
    expect(bytesOf(await embedder.embed(texts))).toEqual(bytesOf(await new BuiltInEmbedder().embed(texts)));
    expect(threads).toHaveLength(2);
  });

  it('survives a text that exhausts the memory of the thread, and refuses no other', async () => {
    embedder = open({ maxOldGenerationSizeMb: SMALL_HEAP_MB });
    const vast = randomBytes(500_000)
      .toString('base64')
      .replaceAll(/[+/]/g, ' ')
      .replaceAll(/(.{4})/g, '$1 ');
    const texts = [dialogue(19)];
    const [refused, vectors] = await Promise.allSettled([
      embedder.embed([...texts, vast]),
      embedder.embed(texts),
    ]);
    expect(refused).toMatchObject({
      reason: { name: 'EmbeddingError', retryable: false, cause: { code: 'ERR_WORKER_OUT_OF_MEMORY' } },
    });
    expect(vectors).toEqual({ status: 'fulfilled', value: await new BuiltInEmbedder().embed(texts) });
    expect(threads).toHaveLength(2);
  });

  it('ends when it is stopped', async () => {
    const [call] = await Promise.allSettled([embedder.embed([dialogue(19)]), embedder.stop()]);
    expect(call).toMatchObject({ reason: { name: 'EmbeddingError', retryable: true } });
    expect(threads[0]?.threadId).toBe(-1);
  });
});
