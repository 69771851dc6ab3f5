import { toNumber } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { granularityOf } from './granularity.js';

const around = (name: string, value: number): number[] => {
  const granularity = granularityOf(name);
  return [granularity.down(value), granularity.up(value)].map((rounded) => toNumber(rounded as number));
};

describe('granularityOf', () => {
  it.each<[string, number, number, number]>([
    ['R5', 19, 16, 25],
    ['R5', 10, 6.3, 16],
    ['R5', 99, 63, 100],
    ['R80', 102, 100, 103],
    ['1-2-5', 0.3, 0.2, 0.5],
    ['E24', 62, 56, 68],
    ['E48', 950, 909, 953],
    ['E192', 919, 909, 920],
    ['POWERSOF2', 8, 4, 16],
    ['POWERSOF2', 0.3, 0.25, 0.5],
  ])('%s around %p is %p and %p', (name, value, down, up) => {
    expect(around(name, value)).toEqual([down, up]);
  });

  it('does not change zero', () => {
    expect(around('R5', 0)).toEqual([0, 0]);
  });

  it.each<[() => unknown, number]>([
    [() => granularityOf('R6'), 40257],
    [() => granularityOf(5), 40261],
    [() => granularityOf('R5').up('x'), 40258],
    [() => granularityOf('R5').up(NaN), 40259],
    [() => granularityOf('R5').up(-1), 40260],
  ])('refuses what it cannot round (%#)', (work, code) => {
    expect(work).toThrow(ServerError);
    try {
      work();
    } catch (error) {
      expect((error as ServerError).code).toBe(code);
    }
  });
});
