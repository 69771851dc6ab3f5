import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { untilAborted } from '../../common/index.js';
import type { Embedder } from './embedder.js';

export interface EmbeddingCacheStats {
  /** Number of cached vectors. */
  size: number;
  max: number;
  /**
   * Texts that needed no embedding: cached, already being embedded for another caller, or repeated within a
   * call.
   */
  hits: number;
  /** Texts passed to the embedder. */
  misses: number;
  /** hits / (hits + misses), or 0 before the first text. */
  hitRate: number;
}

/** A call of the embedder in progress, shared by all callers that wait for it. */
class Flight {
  private readonly controller = new AbortController();
  private readonly vectors: Promise<Map<string, Float32Array>>;
  private waiters = 0;

  constructor(load: (signal: AbortSignal) => Promise<Map<string, Float32Array>>) {
    // Deferred, because `load` refers to this flight.
    this.vectors = Promise.resolve().then(() => load(this.controller.signal));
    // Every waiting caller receives the error; this prevents an unhandled rejection if none is left.
    this.vectors.catch(() => undefined);
  }

  get isAborted(): boolean {
    return this.controller.signal.aborted;
  }

  /**
   * Waits for the result until `signal` aborts. When the last waiting caller leaves, the call itself is
   * aborted.
   */
  async wait(signal?: AbortSignal): Promise<Map<string, Float32Array>> {
    signal?.throwIfAborted();
    this.waiters++;
    try {
      return await (signal ? untilAborted(this.vectors, signal) : this.vectors);
    } finally {
      if (--this.waiters === 0) this.controller.abort();
    }
  }
}

/**
 * Caches the most recently used vectors by model and SHA-256 of the text. Texts themselves are not stored.
 */
export class EmbeddingCache {
  private readonly vectors: LRUCache<string, Float32Array>;
  private readonly flights = new Map<string, Flight>();
  private hits = 0;
  private misses = 0;

  constructor(private readonly max: number) {
    this.vectors = new LRUCache({ max });
  }

  stats(): EmbeddingCacheStats {
    const { hits, misses, max } = this;
    const asked = hits + misses;
    return { size: this.vectors.size, max, hits, misses, hitRate: asked === 0 ? 0 : hits / asked };
  }

  /** Removes the vectors of these texts. */
  forget(model: string, texts: readonly string[]): void {
    for (const text of texts) this.vectors.delete(keyOf(model, text));
  }

  clear(): void {
    this.vectors.clear();
  }

  /**
   * Returns copies of the texts' vectors. Calls `embedder` once, for the texts that are neither cached nor
   * already being embedded.
   */
  async embed(embedder: Embedder, texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const keys = texts.map((text) => keyOf(embedder.model, text));
    const textOf = new Map(keys.map((key, i) => [key, texts[i] ?? '']));
    const found = new Map<string, Float32Array>();
    const joined = new Map<string, Flight>();
    const unknown: string[] = [];
    for (const key of textOf.keys()) {
      const vector = this.vectors.get(key);
      const flight = this.flights.get(key);
      if (vector) found.set(key, vector);
      else if (flight && !flight.isAborted) joined.set(key, flight);
      else unknown.push(key);
    }
    this.misses += unknown.length;
    this.hits += texts.length - unknown.length;
    const own = unknown.length > 0 ? this.begin(embedder, unknown, textOf) : undefined;
    await Promise.all([own && collect(own, unknown, found, signal), this.join(joined, found, signal)]);
    const left = [...textOf.keys()].filter((key) => !found.has(key));
    if (left.length > 0) {
      // Texts for which another caller's call failed. The failure may be due to one of that caller's texts,
      // so retry them here.
      this.hits -= left.length;
      this.misses += left.length;
      await collect(this.begin(embedder, left, textOf), left, found, signal);
    }
    return keys.map((key) => (found.get(key) ?? new Float32Array()).slice());
  }

  private begin(embedder: Embedder, keys: readonly string[], textOf: ReadonlyMap<string, string>): Flight {
    const flight = new Flight(async (signal) => {
      try {
        const vectors = await embedder.embed(
          keys.map((key) => textOf.get(key) ?? ''),
          signal,
        );
        const byKey = new Map<string, Float32Array>();
        keys.forEach((key, i) => {
          const vector = vectors[i];
          if (vector) byKey.set(key, vector);
        });
        for (const [key, vector] of byKey) this.vectors.set(key, vector);
        return byKey;
      } finally {
        for (const key of keys) if (this.flights.get(key) === flight) this.flights.delete(key);
      }
    });
    for (const key of keys) this.flights.set(key, flight);
    return flight;
  }

  private async join(
    joined: ReadonlyMap<string, Flight>,
    found: Map<string, Float32Array>,
    signal?: AbortSignal,
  ): Promise<void> {
    await Promise.all(
      [...joined].map(async ([key, flight]) => {
        try {
          await collect(flight, [key], found, signal);
        } catch {
          signal?.throwIfAborted();
        }
      }),
    );
  }
}

const keyOf = (model: string, text: string): string =>
  `${model}\0${createHash('sha256').update(text).digest('base64')}`;

async function collect(
  flight: Flight,
  keys: readonly string[],
  found: Map<string, Float32Array>,
  signal?: AbortSignal,
): Promise<void> {
  const vectors = await flight.wait(signal);
  for (const key of keys) {
    const vector = vectors.get(key);
    if (vector) found.set(key, vector);
  }
}

/** An embedder that does not embed a text again while its vector is cached. */
export class CachedEmbedder implements Embedder {
  constructor(
    private readonly embedder: Embedder,
    private readonly cache: EmbeddingCache,
  ) {}

  get model(): string {
    return this.embedder.model;
  }

  get dimensions(): number | undefined {
    return this.embedder.dimensions;
  }

  get isLocal(): boolean {
    return this.embedder.isLocal ?? false;
  }

  stats(): EmbeddingCacheStats {
    return this.cache.stats();
  }

  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.cache.embed(this.embedder, texts, signal);
  }

  forget(texts: readonly string[]): void {
    this.cache.forget(this.model, texts);
  }
}
