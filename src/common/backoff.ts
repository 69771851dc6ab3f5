export interface BackoffOptions {
  /** Delay before the first retry, milliseconds. */
  baseMs: number;
  /** Maximum delay, milliseconds. */
  maxMs: number;
  /**
   * Random share of the delay, 0 to 1. 0 gives exact powers of two; 1 gives a delay between 0 and the full
   * value ("full jitter"), which keeps clients that failed together from retrying together.
   */
  jitter: number;
  random?: () => number;
}

/**
 * Returns the delay before retry number `retry` (1 for the first) in milliseconds: baseMs * 2^(retry-1),
 * limited to maxMs, minus the random share.
 */
export function backoffDelay(
  retry: number,
  { baseMs, maxMs, jitter, random = Math.random }: BackoffOptions,
): number {
  const full = Math.min(maxMs, baseMs * 2 ** (retry - 1));
  return full * (1 - jitter * random());
}
