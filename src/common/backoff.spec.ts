import { backoffDelay, retry } from './backoff.js';

const exact = { baseMs: 100, maxMs: 1000, jitter: 0 };

describe('backoffDelay', () => {
  it('doubles from the base up to the cap', () => {
    expect([1, 2, 3, 4, 5].map((n) => backoffDelay(n, exact))).toEqual([100, 200, 400, 800, 1000]);
  });

  it('takes off at most the random share', () => {
    const half = { ...exact, jitter: 0.5 };
    expect(backoffDelay(2, { ...half, random: () => 0 })).toBe(200);
    expect(backoffDelay(2, { ...half, random: () => 1 })).toBe(100);
  });
});

describe('retry', () => {
  const options = { ...exact, retries: 3, shouldRetry: () => true };

  it('answers the first success and sleeps the backoff between tries', async () => {
    const slept: number[] = [];
    const result = await retry(
      (attempt) => (attempt < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve(attempt)),
      { ...options, sleep: (ms) => Promise.resolve(slept.push(ms)) },
    );
    expect(result).toBe(3);
    expect(slept).toEqual([100, 200]);
  });

  it('rethrows the last error when the retries are used up', async () => {
    let tries = 0;
    const failing = retry(
      () => {
        tries++;
        return Promise.reject(new Error(`try ${tries}`));
      },
      { ...options, sleep: () => Promise.resolve() },
    );
    await expect(failing).rejects.toThrow('try 4');
  });

  it('does not retry an error that is not worth it', async () => {
    let tries = 0;
    const failing = retry(
      () => {
        tries++;
        return Promise.reject(new Error('final'));
      },
      { ...options, shouldRetry: () => false, sleep: () => Promise.resolve() },
    );
    await expect(failing).rejects.toThrow('final');
    expect(tries).toBe(1);
  });
});
