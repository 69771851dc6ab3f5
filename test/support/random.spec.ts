import { seededRandom } from './random.js';

describe('seededRandom', () => {
  const take = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 1000 }, () => random());
  };

  it('returns the same numbers for the same seed and different ones for another seed', () => {
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
  });

  it('distributes the numbers over 0 to 1', () => {
    const numbers = take(1);
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    for (let tenth = 0; tenth < 10; tenth++)
      expect(numbers.filter((number) => Math.floor(number * 10) === tenth).length).toBeGreaterThan(60);
  });
});
