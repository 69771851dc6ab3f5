import { DelegateBackoff, handleWhen, type IRetryBackoffContext, retry } from 'cockatiel';
import { backoffDelay, type BackoffOptions } from './backoff.js';
import { untilAborted } from './race.js';

export interface RetryPolicyOptions {
  /** Attempts of one call, the first included. */
  attempts: number;
  backoff: BackoffOptions;
  /** Whether another attempt may succeed where this error came. */
  isRetryable: (error: unknown) => boolean;
  /** How long to wait after this error, milliseconds; undefined: as long as `backoff` says. */
  waitMs?: (error: unknown) => number | undefined;
}

/**
 * Runs `work` until it succeeds, its attempts are used up, or an error comes that is not retryable.
 * @param work is given the number of its attempt, 1 for the first
 * @throws the error of the last attempt; the signal's reason when it is aborted, also while it waits for the
 * next attempt
 */
export type RetryPolicy = <T>(work: (attempt: number) => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** The policy by which calls of one kind are retried. */
export function retryPolicy({ attempts, backoff, isRetryable, waitMs }: RetryPolicyOptions): RetryPolicy {
  const policy = retry(handleWhen(isRetryable), {
    maxAttempts: attempts - 1,
    backoff: new DelegateBackoff(({ attempt, result }: IRetryBackoffContext<unknown>) => {
      const asked = 'error' in result ? waitMs?.(result.error) : undefined;
      return asked ?? backoffDelay(attempt, backoff);
    }),
  });
  // The library waits on when it is aborted; nobody waits with it, and it must not keep the process alive.
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
