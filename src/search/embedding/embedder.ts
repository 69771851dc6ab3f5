/** Turns texts into vectors whose dot product says how alike two texts are. */
export interface Embedder {
  /** Names the vectors: those of different models cannot be compared. */
  readonly model: string;
  /** Length of each vector; undefined until a remote model has answered for the first time. */
  readonly dimensions: number | undefined;
  /** It works with the processors of this machine. */
  readonly isLocal?: boolean;
  /**
   * One vector a text, in the texts' order, of Euclidean length 1 (all zero for a text without anything to go by). All or none: one
   * text that the model refuses fails the call, and the caller finds it by embedding the texts one by one.
   * @throws EmbeddingError, or the signal's reason when it is aborted
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
}

/** Injection token of the process's embedder. */
export const EMBEDDER = Symbol('EMBEDDER');

export interface EmbeddingErrorOptions extends ErrorOptions {
  retryable: boolean;
}

/** A text could not be embedded. The message names no text and no key. */
export class EmbeddingError extends Error {
  /** The same call may succeed later: the service is away or overloaded. */
  readonly retryable: boolean;

  constructor(message: string, { retryable, ...options }: EmbeddingErrorOptions) {
    super(message, options);
    this.name = 'EmbeddingError';
    this.retryable = retryable;
  }
}

/** Scales a vector to length 1 in place; one of length 0 stays as it is. */
export function normalize(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (squares === 0) return vector;
  const scale = 1 / Math.sqrt(squares);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
  return vector;
}
