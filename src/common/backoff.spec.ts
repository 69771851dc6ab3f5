import { backoffDelay } from './backoff.js';

const exact = { baseMs: 100, maxMs: 1000, jitter: 0 };

describe('backoffDelay', () => {
  it('doubles from the base up to the cap', () => {
    expect([1, 2, 3, 4, 5].map((n) => backoffDelay(n, exact))).toEqual([100, 200, 400, 800, 1000]);
  });

  it('subtracts at most the random share', () => {
    const half = { ...exact, jitter: 0.5 };
    expect(backoffDelay(2, { ...half, random: () => 0 })).toBe(200);
    expect(backoffDelay(2, { ...half, random: () => 1 })).toBe(100);
  });
});
