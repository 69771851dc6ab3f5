import { z } from 'zod';
import { type Embedder, EmbeddingError, normalize } from './embedder.js';
import type { RemoteCall, RemoteCalls } from './remote-calls.js';

export const vectorSchema = z.array(z.number()).min(1);

/** Base class of embedders that call a service: splits texts into batches and validates the responses. */
export abstract class RemoteEmbedder implements Embedder {
  private length: number | undefined;

  protected constructor(
    readonly model: string,
    protected readonly service: string,
    private readonly calls: RemoteCalls,
    private readonly batchSize: number,
  ) {}

  /** Dimensions of the first response. A later response with other dimensions is an error. */
  get dimensions(): number | undefined {
    return this.length;
  }

  /** Stops timers. */
  stop(): Promise<void> {
    return this.calls.stop();
  }

  /**
   * Sends the batches concurrently, within the limit of `RemoteCalls`. The first failure aborts the others.
   */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const batches: (readonly string[])[] = [];
    for (let start = 0; start < texts.length; start += this.batchSize)
      batches.push(texts.slice(start, start + this.batchSize));
    const failure = new AbortController();
    const either = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
    try {
      return (await Promise.all(batches.map((batch) => this.embedBatch(batch, either)))).flat();
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  }

  protected abstract callFor(texts: readonly string[]): RemoteCall;

  /** Returns the vectors in the order of the texts; undefined if the response has an unexpected format. */
  protected abstract vectorsIn(response: unknown): number[][] | undefined;

  private async embedBatch(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const vectors = this.vectorsIn(await this.calls.post(this.callFor(texts), signal));
    if (!vectors) throw this.invalidResponse('a response of an unexpected format');
    if (vectors.length !== texts.length)
      throw this.invalidResponse(`${vectors.length} vectors for ${texts.length} texts`);
    return vectors.map((vector) => this.checked(vector));
  }

  private checked(values: number[]): Float32Array {
    this.length ??= values.length;
    if (values.length !== this.length)
      throw this.invalidResponse(`vectors of ${values.length} dimensions instead of ${this.length}`);
    const vector = Float32Array.from(values);
    if (!vector.every(Number.isFinite)) throw this.invalidResponse('a number that is not finite');
    return normalize(vector);
  }

  private invalidResponse(what: string): EmbeddingError {
    return new EmbeddingError(`${this.service} (${this.model}) returned ${what}.`, { retryable: false });
  }
}
