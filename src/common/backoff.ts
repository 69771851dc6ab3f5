import { setTimeout as delay } from 'node:timers/promises';

export interface BackoffOptions {
  /** Delay before the first retry, milliseconds. */
  baseMs: number;
  /** No delay is longer, milliseconds. */
  maxMs: number;
  /**
   * Share of the delay that is random, 0 to 1: 0 gives the exact powers of two, 1 anything from 0 to the full delay ("full
   * jitter"), which keeps clients that collided once from colliding again.
   */
  jitter: number;
  random?: () => number;
}

/** Delay before retry number `retry` (1 for the first): baseMs * 2^(retry-1), capped, less the random share. */
export function backoffDelay(
  retry: number,
  { baseMs, maxMs, jitter, random = Math.random }: BackoffOptions,
): number {
  const full = Math.min(maxMs, baseMs * 2 ** (retry - 1));
  return full * (1 - jitter * random());
}

export interface RetryOptions extends BackoffOptions {
  /** Retries after the first try. */
  retries: number;
  shouldRetry: (error: unknown) => boolean;
  onRetry?: (retry: number, delayMs: number, error: unknown) => void;
  sleep?: (ms: number) => Promise<unknown>;
}

/** Runs `work` until it succeeds, the retries are used up, or an error comes that is not worth one; rethrows the last error. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const sleep = options.sleep ?? ((ms: number) => delay(ms));
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt > options.retries || !options.shouldRetry(error)) throw error;
      const delayMs = backoffDelay(attempt, options);
      options.onRetry?.(attempt, delayMs, error);
      await sleep(delayMs);
    }
  }
}
