import { type RetryPolicyOptions, retryPolicy } from './retry-policy.js';

class Busy extends Error {
  constructor(readonly waitMs?: number) {
    super('busy');
  }
}

const { signal } = new AbortController();

describe('retryPolicy', () => {
  let delays: number[];
  const policy = (more: Partial<RetryPolicyOptions> = {}) =>
    retryPolicy({
      attempts: 4,
      backoff: { baseMs: 100, maxMs: 300, jitter: 0 },
      isRetryable: (error) => error instanceof Busy,
      waitMs: (error) => (error instanceof Busy ? error.waitMs : undefined),
      ...more,
    });

  beforeEach(() => {
    jest.useFakeTimers();
    delays = [];
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Runs `work` until it settles, and records when each attempt started. */
  const outcomeOf = async (work: (attempt: number) => Promise<unknown>, options = {}): Promise<unknown> => {
    const begun = Date.now();
    const outcome = policy(options)((attempt) => {
      delays.push(Date.now() - begun);
      return work(attempt);
    }, signal).catch((error: unknown) => error);
    await jest.runAllTimersAsync();
    return outcome;
  };

  it('returns the first success, with the delays of the backoff between attempts', async () => {
    const work = (attempt: number) => (attempt < 4 ? Promise.reject(new Busy()) : Promise.resolve(attempt));
    expect(await outcomeOf(work)).toBe(4);
    expect(delays).toEqual([0, 100, 300, 600]);
  });

  it('waits as long as the error requests', async () => {
    const work = (attempt: number) => (attempt < 2 ? Promise.reject(new Busy(5000)) : Promise.resolve(1));
    await outcomeOf(work);
    expect(delays).toEqual([0, 5000]);
  });

  it('rejects with the last error after the maximum number of attempts', async () => {
    expect(await outcomeOf((attempt) => Promise.reject(new Busy(attempt)))).toEqual(new Busy(4));
    expect(delays).toHaveLength(4);
  });

  it('makes one attempt if only one is allowed, or if the error is not retryable', async () => {
    await outcomeOf(() => Promise.reject(new Busy()), { attempts: 1 });
    await outcomeOf(() => Promise.reject(new Error('final')));
    expect(delays).toEqual([0, 0]);
  });

  it('stops waiting when it is aborted, and makes no further attempt', async () => {
    const abort = new AbortController();
    const work = jest.fn(() => Promise.reject(new Busy()));
    const outcome = policy()(work, abort.signal).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(50);
    abort.abort(new Error('gone'));
    expect(await outcome).toEqual(new Error('gone'));
    await jest.runAllTimersAsync();
    expect(work).toHaveBeenCalledTimes(1);
  });
});
