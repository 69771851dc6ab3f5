import { gapsAfter, mostAtOnce, rateOf, spreadOf } from './figures.js';

const event = (n: number, attempt: number, began: number, ended?: number) => ({
  queue: 'q',
  n,
  attempt,
  pid: 1,
  began,
  ...(ended !== undefined && { ended }),
});

describe('queue figures', () => {
  it('measure the gaps between attempts of the same job, not of different jobs', () => {
    const events = [event(1, 1, 0), event(2, 1, 10), event(1, 2, 100), event(2, 2, 150), event(1, 3, 400)];
    expect(gapsAfter(events, 1)).toEqual([100, 140]);
    expect(gapsAfter(events, 2)).toEqual([300]);
  });

  it('measure the rate from the first start to the last', () => {
    expect(rateOf([0, 200, 400, 600, 800, 1000].map((began, n) => event(n, 1, began)))).toBe(5);
  });

  it('count the most jobs running at the same time; a job that ends when another starts does not overlap it', () => {
    expect(mostAtOnce([event(1, 1, 0, 10), event(2, 1, 10, 20), event(3, 1, 15)])).toBe(2);
  });

  it('give the minimum, mean and maximum of values', () => {
    expect(spreadOf([1, 2, 6])).toEqual({ least: 1, mean: 3, most: 6 });
  });
});
