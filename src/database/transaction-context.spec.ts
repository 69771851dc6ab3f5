import { AsyncLocalStorage } from 'node:async_hooks';
import { runWithin } from './transaction-context.js';

/** Work that waits for `end()`, and then returns its value from the storage. */
function heldWork(storage: AsyncLocalStorage<string>) {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  return {
    end,
    work: async (): Promise<string | undefined> => {
      await ended;
      return storage.getStore();
    },
  };
}

describe('runWithin', () => {
  it('keeps the value of each of several overlapping runs until it ends, in whatever order they end', async () => {
    const storage = new AsyncLocalStorage<string>();
    const held = ['a', 'b', 'c'].map((value) => ({ value, ...heldWork(storage) }));
    const runs = held.map(({ value, work }) => runWithin(storage, value, work));
    for (const index of [1, 0, 2]) {
      held[index]?.end();
      expect(await runs[index]).toBe(held[index]?.value);
    }
  });

  it('disables the storage when the last run has ended, and not before', async () => {
    const storage = new AsyncLocalStorage<string>();
    const disable = jest.spyOn(storage, 'disable');
    const [first, second] = [heldWork(storage), heldWork(storage)];
    const runs = [runWithin(storage, 'a', first.work), runWithin(storage, 'b', second.work)];
    first.end();
    await runs[0];
    expect(disable).not.toHaveBeenCalled();
    second.end();
    await runs[1];
    expect(disable).toHaveBeenCalledTimes(1);
  });

  it('disables it after a failed run, and can be used again afterwards', async () => {
    const storage = new AsyncLocalStorage<string>();
    await expect(runWithin(storage, 'a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(storage.getStore()).toBeUndefined();
    const again = heldWork(storage);
    const run = runWithin(storage, 'b', again.work);
    again.end();
    expect(await run).toBe('b');
  });
});
