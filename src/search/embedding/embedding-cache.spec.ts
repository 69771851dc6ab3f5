import type { Embedder } from './embedder.js';
import { CachedEmbedder, EmbeddingCache } from './embedding-cache.js';

interface Call {
  texts: readonly string[];
  signal: AbortSignal | undefined;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Returns the length of each text once a test resolves the call. */
class HeldEmbedder implements Embedder {
  readonly dimensions = 1;
  readonly calls: Call[] = [];

  constructor(readonly model = 'held') {}

  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    return new Promise((resolve, reject) => {
      this.calls.push({
        texts,
        signal,
        resolve: () => resolve(texts.map((text) => Float32Array.of(text.length))),
        reject,
      });
    });
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('CachedEmbedder', () => {
  let held: HeldEmbedder;
  let cache: EmbeddingCache;
  let cached: CachedEmbedder;

  beforeEach(() => {
    held = new HeldEmbedder();
    cache = new EmbeddingCache(3);
    cached = new CachedEmbedder(held, cache);
  });

  const embed = async (texts: string[]): Promise<number[]> => {
    const before = held.calls.length;
    const vectors = cached.embed(texts);
    await settle();
    for (const call of held.calls.slice(before)) call.resolve();
    return (await vectors).map(([first]) => first ?? NaN);
  };

  it('embeds only unknown texts, each once, and returns vectors in order', async () => {
    expect(await embed(['a', 'bb'])).toEqual([1, 2]);
    expect(await embed(['ccc', 'bb', 'ccc', 'a'])).toEqual([3, 2, 3, 1]);
    expect(held.calls.map(({ texts }) => texts)).toEqual([['a', 'bb'], ['ccc']]);
    expect(cached.stats()).toEqual({ size: 3, max: 3, hits: 3, misses: 3, hitRate: 0.5 });
  });

  it('evicts the least recently used', async () => {
    await embed(['a', 'bb', 'ccc']);
    await embed(['a']);
    await embed(['dddd']);
    await embed(['a', 'bb']);
    expect(held.calls.at(-1)?.texts).toEqual(['bb']);
    expect(cached.stats().size).toBe(3);
  });

  it('handles a batch that is larger than the cache', async () => {
    expect(await embed(['a', 'bb', 'ccc', 'dddd', 'eeeee'])).toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps models separate', async () => {
    await embed(['a']);
    const other = new HeldEmbedder('other');
    const vectors = new CachedEmbedder(other, cache).embed(['a']);
    await settle();
    expect(other.calls).toHaveLength(1);
    other.calls[0]?.resolve();
    await vectors;
  });

  it('is not affected by changes to the vectors it returns', async () => {
    const vectors = cached.embed(['a']);
    await settle();
    held.calls[0]?.resolve();
    (await vectors)[0]?.fill(9);
    expect(await embed(['a'])).toEqual([1]);
  });

  it('shares one call among concurrent callers with the same text', async () => {
    const first = cached.embed(['a', 'bb']);
    const second = cached.embed(['bb', 'ccc']);
    await settle();
    expect(held.calls.map(({ texts }) => texts)).toEqual([['a', 'bb'], ['ccc']]);
    for (const call of held.calls) call.resolve();
    expect(await first).toEqual([Float32Array.of(1), Float32Array.of(2)]);
    expect(await second).toEqual([Float32Array.of(2), Float32Array.of(3)]);
  });

  it('retries a text whose shared call failed, and caches no failure', async () => {
    const first = cached.embed(['a', 'bad']);
    const second = cached.embed(['a']);
    await settle();
    held.calls[0]?.reject(new Error('bad text'));
    await expect(first).rejects.toThrow('bad text');
    await settle();
    expect(held.calls[1]?.texts).toEqual(['a']);
    held.calls[1]?.resolve();
    expect(await second).toEqual([Float32Array.of(1)]);
    expect(cached.stats()).toMatchObject({ size: 1, hits: 0, misses: 3 });
  });

  it('lets one caller abort without aborting the shared call', async () => {
    const controller = new AbortController();
    const first = cached.embed(['a'], controller.signal);
    const second = cached.embed(['a']);
    await settle();
    controller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(held.calls[0]?.signal?.aborted).toBe(false);
    held.calls[0]?.resolve();
    expect(await second).toEqual([Float32Array.of(1)]);
    expect(held.calls).toHaveLength(1);
  });

  it('aborts the call when all callers have aborted, and starts another for the next', async () => {
    const controller = new AbortController();
    const first = cached.embed(['a'], controller.signal);
    await settle();
    controller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(held.calls[0]?.signal?.aborted).toBe(true);
    expect(await embed(['a'])).toEqual([1]);
    expect(held.calls).toHaveLength(2);
  });
});
