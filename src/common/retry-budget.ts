import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from './backoff.js';

/** Maximum number of attempts for one request, including the first. */
const MAX_ATTEMPTS = 6;
/** No attempt starts after this time, milliseconds. */
export const RETRY_TIMEOUT_MS = 20_000;
const backoff = { baseMs: 5, maxMs: 200, jitter: 0.5 };

/** One attempt within the budget. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  /** Time left until no further attempt starts, in milliseconds, computed when it is read. */
  readonly remainingMs: number;
}

/**
 * The only place that decides how often a request is retried: MAX_ATTEMPTS within `timeoutMs`. Code called by
 * `work` throws typed errors and does not retry. The exception is the group commit, which retries after
 * transaction conflicts within `remainingMs`. This does not use `retryPolicy`, which cannot pass down a
 * deadline and is slower: see docs/decisions/0018-libraries-and-own-code.md.
 * @param isRetryable whether another attempt may succeed after this error
 * @throws the error of the last attempt
 */
export async function withRetries<T>(
  work: (attempt: Attempt) => Promise<T>,
  isRetryable: (error: unknown) => boolean,
  timeoutMs = RETRY_TIMEOUT_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let number = 1; ; number++) {
    try {
      return await work({
        number,
        get remainingMs() {
          return Math.max(1, deadline - performance.now());
        },
      });
    } catch (error) {
      if (number === MAX_ATTEMPTS || performance.now() >= deadline || !isRetryable(error)) throw error;
      await delay(backoffDelay(number, backoff));
    }
  }
}
