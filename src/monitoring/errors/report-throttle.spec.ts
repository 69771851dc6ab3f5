import { MAX_PER_MINUTE, ReportThrottle } from './report-throttle.js';

describe('ReportThrottle', () => {
  let now: number;
  let throttle: ReportThrottle;
  beforeEach(() => {
    now = 0;
    throttle = new ReportThrottle(() => now);
  });

  it('allows one report per key and minute, and then returns how many were omitted', () => {
    expect(throttle.admit('database_unavailable')).toBe(0);
    expect([1, 2, 3].map(() => throttle.admit('database_unavailable'))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(throttle.admit('responder_failed')).toBe(0);
    now = 59_999;
    expect(throttle.admit('database_unavailable')).toBeUndefined();
    now = 60_000;
    expect(throttle.admit('database_unavailable')).toBe(4);
    now = 120_000;
    expect(throttle.admit('database_unavailable')).toBe(0);
  });

  it('limits reports without a key separately from those with one', () => {
    for (let count = 0; count < MAX_PER_MINUTE; count++) expect(throttle.admit()).toBe(0);
    expect(throttle.admit()).toBeUndefined();
    expect(throttle.admit('a')).toBe(0);
    now = 60_000;
    expect(throttle.admit()).toBe(1);
  });

  it('keeps a limited number of keys; further ones share one limit', () => {
    for (let key = 0; key < 10_000; key++) throttle.admit(String(key));
    expect(throttle.admit('one more')).toBeUndefined();
    expect(throttle.admit('0')).toBeUndefined();
    now = 60_000;
    expect(throttle.admit('0')).toBe(1);
  });
});
