import { concurrently } from './concurrently.js';

describe('concurrently', () => {
  it('processes every item once, with no more than the limit at a time', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await concurrently([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      done.push(item);
    });
    expect(done.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  it('starts nothing new after an error, and rejects with it', async () => {
    const begun: number[] = [];
    const run = concurrently([1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      await new Promise(setImmediate);
      if (item === 1) throw new Error('broken');
    });
    await expect(run).rejects.toThrow('broken');
    expect(begun).toEqual([1, 2]);
  });
});
