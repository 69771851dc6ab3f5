import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { BuiltInEmbedder } from '../../src/search/embedding/built-in.embedder.js';
import { ThreadedEmbedder } from '../../src/search/embedding/threaded.embedder.js';
import { builtEntry } from '../support/process.js';

/**
 * Memory limit that is too low for a text of half a million characters with only distinct words, and
 * sufficient for a dialogue.
 */
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

  it('returns the same vectors as the calling thread, to each call its own', async () => {
    const batches = [0, 1, 2, 3].map((batch) =>
      Array.from({ length: 50 }, (_, i) => dialogue(batch * 50 + i)),
    );
    const vectors = await Promise.all(batches.map((texts) => embedder.embed(texts)));
    const expected = await new BuiltInEmbedder().embed(batches.flat());
    expect(bytesOf(vectors.flat())).toEqual(bytesOf(expected));
    expect(threads).toHaveLength(1);
  });

  it('serves calls in order, and skips aborted ones', async () => {
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

  it('continues with a new thread after one was terminated externally', async () => {
    const texts = [dialogue(19)];
    await embedder.embed(texts);
    await threads[0]?.terminate();
    expect(bytesOf(await embedder.embed(texts))).toEqual(bytesOf(await new BuiltInEmbedder().embed(texts)));
    expect(threads).toHaveLength(2);
  });

  it('survives a text that exhausts the memory of the thread, and still embeds all others', async () => {
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

  it('exits when it is stopped', async () => {
    const [call] = await Promise.allSettled([embedder.embed([dialogue(19)]), embedder.stop()]);
    expect(call).toMatchObject({ reason: { name: 'EmbeddingError', retryable: true } });
    expect(threads[0]?.threadId).toBe(-1);
  });
});
