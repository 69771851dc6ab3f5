import { z } from 'zod';
import { type Embedder, EmbeddingError, normalize } from './embedder.js';
import type { RemoteCall, RemoteCalls } from './remote-calls.js';

export const vectorSchema = z.array(z.number()).min(1);

/** What embedders that ask a service have in common: batches, and the checks of what comes back. */
export abstract class RemoteEmbedder implements Embedder {
  private length: number | undefined;

  protected constructor(
    readonly model: string,
    protected readonly service: string,
    private readonly calls: RemoteCalls,
    private readonly batchSize: number,
  ) {}

  /** That of the first answer; another one later is an error. */
  get dimensions(): number | undefined {
    return this.length;
  }

  /** Ends what runs by timer. */
  stop(): Promise<void> {
    return this.calls.stop();
  }

  /** The batches are sent at the same time, as far as the bound on concurrency lets them; the first failure ends them all. */
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

  /** The vectors in the texts' order; undefined when the answer has another form. */
  protected abstract vectorsIn(answer: unknown): number[][] | undefined;

  private async embedBatch(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const vectors = this.vectorsIn(await this.calls.post(this.callFor(texts), signal));
    if (!vectors) throw this.misanswer('with another form than that of embeddings');
    if (vectors.length !== texts.length)
      throw this.misanswer(`with ${vectors.length} vectors for ${texts.length} texts`);
    return vectors.map((vector) => this.checked(vector));
  }

  private checked(values: number[]): Float32Array {
    this.length ??= values.length;
    if (values.length !== this.length)
      throw this.misanswer(`with ${values.length} dimensions after ${this.length}`);
    const vector = Float32Array.from(values);
    if (!vector.every(Number.isFinite)) throw this.misanswer('with a number that is not finite');
    return normalize(vector);
  }

  private misanswer(how: string): EmbeddingError {
    return new EmbeddingError(`${this.service} (${this.model}) answered ${how}.`, { retryable: false });
  }
}
