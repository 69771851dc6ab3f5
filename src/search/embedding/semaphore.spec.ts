import { Semaphore } from './semaphore.js';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Semaphore', () => {
  it('lets no more in than it has places, and the others in their order', async () => {
    const semaphore = new Semaphore(2);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const all = [0, 1, 2, 3].map((i) =>
      semaphore.run(() => {
        begun.push(i);
        return new Promise<void>((resolve) => (ends[i] = resolve));
      }),
    );
    await settle();
    expect(begun).toEqual([0, 1]);
    ends[1]?.();
    await all[1];
    await settle();
    expect(begun).toEqual([0, 1, 2]);
    ends[0]?.();
    await all[0];
    await settle();
    expect(begun).toEqual([0, 1, 2, 3]);
    ends[2]?.();
    ends[3]?.();
    await Promise.all(all);
  });

  it('gives the place back after a failure', async () => {
    const semaphore = new Semaphore(1);
    await expect(semaphore.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(semaphore.run(() => Promise.resolve(1))).resolves.toBe(1);
  });

  it('turns away who is aborted while waiting, and loses no place by it', async () => {
    const semaphore = new Semaphore(1);
    let end: (() => void) | undefined;
    const first = semaphore.run(() => new Promise<void>((resolve) => (end = resolve)));
    const controller = new AbortController();
    const work = jest.fn(() => Promise.resolve());
    const second = semaphore.run(work, controller.signal);
    const third = semaphore.run(() => Promise.resolve('third'));
    await settle();
    controller.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    end?.();
    await first;
    await expect(third).resolves.toBe('third');
    await expect(semaphore.run(() => Promise.resolve('fourth'))).resolves.toBe('fourth');
    expect(work).not.toHaveBeenCalled();
    expect(semaphore.waiters).toBe(0);
  });
});
