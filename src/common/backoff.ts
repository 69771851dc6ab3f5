export interface BackoffOptions {
  /** Delay before the first retry, milliseconds. */
  baseMs: number;
  /** No delay is longer, milliseconds. */
  maxMs: number;
  /**
   * Share of the delay that is random, 0 to 1: 0 gives the exact powers of two, 1 anything from 0 to the full
   * delay ("full jitter"), which keeps clients that collided once from colliding again.
   */
  jitter: number;
  random?: () => number;
}

/**
 * Delay before retry number `retry` (1 for the first), milliseconds: baseMs * 2^(retry-1), capped, less the
 * random share.
 */
export function backoffDelay(
  retry: number,
  { baseMs, maxMs, jitter, random = Math.random }: BackoffOptions,
): number {
  const full = Math.min(maxMs, baseMs * 2 ** (retry - 1));
  return full * (1 - jitter * random());
}
