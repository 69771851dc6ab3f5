import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from './backoff.js';

/** Attempts of one request, the first included. */
const MAX_ATTEMPTS = 6;
/** No new attempt begins after this time, milliseconds. */
export const RETRY_TIMEOUT_MS = 20_000;
const backoff = { baseMs: 5, maxMs: 200, jitter: 0.5 };

/** What is left to an attempt. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  /** Time after which nothing is to be tried again, milliseconds from when it is read. */
  readonly remainingMs: number;
}

/**
 * The one place that decides how often the work of a request is tried: MAX_ATTEMPTS within `timeoutMs`. What
 * it calls throws errors that say what happened, and does not retry; the group commit, which retries after
 * conflicts between transactions, takes `remainingMs` as its limit. Not a `retryPolicy`, which has no
 * deadline to pass down and takes longer: docs/decisions/0018-libraries-and-own-code.md.
 * @param isRetryable whether an error says that another attempt may succeed
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
