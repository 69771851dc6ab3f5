import { RateLimit } from './rate-limit.js';

describe('RateLimit', () => {
  it('allows the limit in each window, and returns how many it rejected', () => {
    let now = 0;
    const limit = new RateLimit(2, 1000, () => now);
    expect([limit.take(), limit.take(), limit.take(), limit.take()]).toEqual([0, 0, undefined, undefined]);
    now = 999;
    expect(limit.take()).toBeUndefined();
    now = 1000;
    expect([limit.take(), limit.take(), limit.take()]).toEqual([3, 0, undefined]);
  });
});
