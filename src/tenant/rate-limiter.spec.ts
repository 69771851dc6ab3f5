import { RateLimiter } from './rate-limiter.js';

class FakeClock {
  time = 1000;
  now(): number {
    return this.time;
  }
}

const takeMany = (limiter: RateLimiter, key: string, count: number): number[] =>
  Array.from({ length: count }, () => limiter.take(key));

describe('RateLimiter', () => {
  let clock: FakeClock;
  beforeEach(() => (clock = new FakeClock()));

  it('allows the requests of a minute at once, then returns how long to wait', () => {
    const limiter = new RateLimiter(60, clock);
    expect(takeMany(limiter, 'acme', 60)).toEqual(Array(60).fill(0));
    expect(limiter.take('acme')).toBe(1);
  });

  it('refills at an even rate, up to the limit', () => {
    const limiter = new RateLimiter(6, clock);
    takeMany(limiter, 'acme', 6);
    expect(limiter.take('acme')).toBe(10);
    clock.time += 9_999;
    expect(limiter.take('acme')).toBe(1);
    clock.time += 1;
    expect(limiter.take('acme')).toBe(0);
    expect(limiter.take('acme')).toBe(10);
    clock.time += 3_600_000;
    expect(takeMany(limiter, 'acme', 7).filter((wait) => wait === 0)).toHaveLength(6);
  });

  it('allows a request after the returned wait', () => {
    const limiter = new RateLimiter(7, clock);
    takeMany(limiter, 'acme', 7);
    clock.time += limiter.take('acme') * 1000;
    expect(limiter.take('acme')).toBe(0);
  });

  it('counts each tenant separately', () => {
    const limiter = new RateLimiter(1, clock);
    expect(limiter.take('acme')).toBe(0);
    expect(limiter.take('acme')).toBe(60);
    expect(limiter.take('globex')).toBe(0);
  });

  it('is off at 0', () => {
    expect(takeMany(new RateLimiter(0, clock), 'acme', 1000)).toEqual(Array(1000).fill(0));
  });

  it('forgets the bucket that was idle longest beyond 10,000 tenants', () => {
    const limiter = new RateLimiter(1, clock);
    limiter.take('first');
    for (let i = 0; i < 9_999; i++) limiter.take(`tenant-${i}`);
    expect(limiter.take('first')).toBe(60);
    limiter.take('one-more');
    expect(limiter.take('first')).toBe(60);
    expect(limiter.take('tenant-0')).toBe(0);
  });
});
