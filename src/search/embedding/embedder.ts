/** Turns texts into vectors whose dot product measures the similarity of the texts. */
export interface Embedder {
  /** Identifies the model. Vectors of different models cannot be compared. */
  readonly model: string;
  /** Length of each vector. Undefined until a remote model has responded for the first time. */
  readonly dimensions: number | undefined;
  /** True if embedding uses the CPU of this machine. */
  readonly isLocal?: boolean;
  /**
   * Returns one vector per text, in the order of the texts, normalized to Euclidean length 1 (all zero for a
   * text without content). All or none: if the model rejects one text, the call fails, and the caller finds
   * that text by embedding them one by one.
   * @throws EmbeddingError, or the signal's reason if it is aborted
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
  /** Removes the vectors of texts from the cache of this process, if there is one. */
  forget?(texts: readonly string[]): void;
}

/** Injection token of the process's embedder. */
export const EMBEDDER = Symbol('EMBEDDER');

export interface EmbeddingErrorOptions extends ErrorOptions {
  retryable: boolean;
}

/** A text could not be embedded. The message contains neither the text nor any key. */
export class EmbeddingError extends Error {
  /** True if the same call may succeed later, because the service is unavailable or overloaded. */
  readonly retryable: boolean;

  constructor(message: string, { retryable, ...options }: EmbeddingErrorOptions) {
    super(message, options);
    this.name = 'EmbeddingError';
    this.retryable = retryable;
  }
}

/** Scales a vector to length 1 in place. A zero vector is left unchanged. */
export function normalize(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (squares === 0) return vector;
  const scale = 1 / Math.sqrt(squares);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
  return vector;
}
