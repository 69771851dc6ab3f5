import { DelegateBackoff, handleWhen, type IRetryBackoffContext, retry } from 'cockatiel';
import { backoffDelay, type BackoffOptions } from './backoff.js';
import { untilAborted } from './race.js';

export interface RetryPolicyOptions {
  /** Maximum number of attempts of one call, including the first. */
  attempts: number;
  backoff: BackoffOptions;
  /** Whether another attempt may succeed after this error. */
  isRetryable: (error: unknown) => boolean;
  /** How long to wait after this error, milliseconds. Undefined: the delay of `backoff`. */
  waitMs?: (error: unknown) => number | undefined;
}

/**
 * Runs `work` until it succeeds, all attempts are used, or an error is not retryable.
 * @param work receives the number of the attempt, 1 for the first
 * @throws the error of the last attempt, or the signal's reason if it is aborted, even between two attempts
 */
export type RetryPolicy = <T>(work: (attempt: number) => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** Creates the retry policy for one kind of call. */
export function retryPolicy({ attempts, backoff, isRetryable, waitMs }: RetryPolicyOptions): RetryPolicy {
  const policy = retry(handleWhen(isRetryable), {
    maxAttempts: attempts - 1,
    backoff: new DelegateBackoff(({ attempt, result }: IRetryBackoffContext<unknown>) => {
      const asked = 'error' in result ? waitMs?.(result.error) : undefined;
      return asked ?? backoffDelay(attempt, backoff);
    }),
  });
  // cockatiel keeps waiting after an abort. `untilAborted` below ends the wait for the caller, and unref
  // keeps the timer from delaying the exit of the process.
  const abortable = policy.dangerouslyUnref();
  return (work, signal) => {
    if (!signal) return policy.execute(({ attempt }) => work(attempt + 1));
    const attempted = abortable.execute(async ({ attempt }) => {
      signal.throwIfAborted();
      return work(attempt + 1);
    }, signal);
    return untilAborted(attempted, signal);
  };
}
