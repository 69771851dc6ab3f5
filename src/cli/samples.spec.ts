import { Samples } from './samples.js';

describe('Samples', () => {
  it('returns exact nearest-rank percentiles, also after growing, in whatever order samples arrive', () => {
    const samples = new Samples();
    for (let index = 0; index < 5000; index++) samples.add(((index * 2749) % 5000) + 1);
    expect(samples.count).toBe(5000);
    expect(samples.percentiles(0, 0.5, 0.95, 0.99, 1)).toEqual([1, 2500, 4750, 4950, 5000]);
  });

  it('has no percentiles without samples', () => {
    expect(new Samples().percentiles(0.5)).toEqual([Number.NaN]);
  });
});
