import { RecentValues } from './recent-values.js';

describe('RecentValues', () => {
  it('is zero before the first value', () => {
    expect(new RecentValues().distribution()).toEqual({ count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 });
  });

  it('returns nearest-rank percentiles regardless of the order of arrival', () => {
    const values = new RecentValues();
    for (let value = 100; value > 0; value--) values.add(value);
    expect(values.distribution()).toEqual({ count: 100, mean: 50.5, p50: 50, p95: 95, p99: 99, max: 100 });
  });

  it('drops the oldest values', () => {
    const values = new RecentValues(3);
    for (const value of [1000, 1, 2, 3]) values.add(value);
    expect(values.distribution()).toMatchObject({ count: 3, p50: 2, max: 3 });
  });
});
