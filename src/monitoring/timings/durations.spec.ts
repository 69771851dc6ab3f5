import { Durations } from './durations.js';

const MINUTE = 60_000;

describe('Durations', () => {
  it('counts durations up to each exported bound exactly, including those equal to it', () => {
    const durations = new Durations();
    for (const ms of [0, 0.5, 0.5001, 1, 2.5, 2.6, 30_000, 400_000]) durations.record(ms, true);
    const total = durations.total();
    expect(total.cumulative([0.5, 1, 2.5, 5, 30_000, 300_000])).toEqual([2, 4, 5, 6, 7, 7]);
    expect(total).toMatchObject({ count: 8, maxMs: 400_000 });
  });

  it('keeps the complete total when slices leave the window, over hours and pauses', () => {
    let now = 0;
    const durations = new Durations(() => now);
    let count = 0;
    for (; now < 3 * 60 * MINUTE; now += 7_000) {
      durations.record(5, count % 10 !== 0);
      count++;
    }
    now += 24 * 60 * MINUTE;
    durations.record(50, true);
    const total = durations.total();
    expect(total).toMatchObject({ count: count + 1, errors: Math.ceil(count / 10), sumMs: 5 * count + 50 });
    expect(total.cumulative([5, 50])).toEqual([count, count + 1]);
  });
});
