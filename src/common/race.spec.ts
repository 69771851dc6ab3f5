import { getEventListeners } from 'node:events';
import { untilAborted, withTimeout } from './race.js';

const never = new Promise<never>(() => undefined);

describe('withTimeout', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('returns the result of work that finishes in time, and leaves no timer', async () => {
    await expect(withTimeout(Promise.resolve(1), 100, () => 2)).resolves.toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects if the work rejects, and leaves no timer', async () => {
    await expect(withTimeout(Promise.reject(new Error('broken')), 100, () => 2)).rejects.toThrow('broken');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('returns the substitute if the work takes too long', async () => {
    const outcome = withTimeout(never, 100, () => 'late');
    await jest.advanceTimersByTimeAsync(100);
    await expect(outcome).resolves.toBe('late');
  });

  it('rejects with the error that `late` throws, and ignores a later rejection of the work', async () => {
    let fail = (_error: Error): void => undefined;
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    const outcome = withTimeout(work, 100, (): never => {
      throw new Error('too late');
    });
    const [reason] = await Promise.all([
      outcome.catch((error: unknown) => error),
      jest.advanceTimersByTimeAsync(100),
    ]);
    expect(reason).toEqual(new Error('too late'));
    fail(new Error('ignored'));
    await jest.advanceTimersByTimeAsync(0);
  });
});

describe('untilAborted', () => {
  it('resolves or rejects like the work, and leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(untilAborted(Promise.reject(new Error('broken')), signal)).rejects.toThrow('broken');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects with the reason of the signal if it is aborted in the meantime', async () => {
    const abort = new AbortController();
    const outcome = untilAborted(never, abort.signal);
    abort.abort(new Error('gone'));
    await expect(outcome).rejects.toThrow('gone');
  });

  it('rejects immediately if the signal is already aborted, and ignores the outcome of the work', async () => {
    const outcome = untilAborted(Promise.reject(new Error('ignored')), AbortSignal.abort(new Error('gone')));
    await expect(outcome).rejects.toThrow('gone');
  });
});
