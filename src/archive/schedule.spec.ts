import type { Logger } from '../logging/index.js';
import type { ScheduleRepository } from './schedule.repository.js';
import { LeaseLostError, Schedules } from './schedule.js';

const RENEW_MS = 15_000;
const none = new AbortController().signal;
const take = jest.fn<Promise<boolean>, []>();
const release = jest.fn<Promise<void>, []>();
const repository = { create: () => Promise.resolve(), take, release } as unknown as ScheduleRepository;
const schedules = new Schedules(repository, { warn: jest.fn() } as unknown as Logger);

/** Work that ends only when its signal aborts, with the reason. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });

/** A promise that the test settles. */
function pending<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

beforeEach(() => {
  jest.useFakeTimers();
  take.mockReset().mockResolvedValue(true);
  release.mockReset().mockResolvedValue();
});
afterEach(() => jest.useRealTimers());

describe('a claim that another process has taken over', () => {
  it('aborts the work with LeaseLostError, and is not taken again', async () => {
    take.mockResolvedValueOnce(true).mockResolvedValueOnce(true).mockResolvedValueOnce(false);
    const failure = schedules.exclusively('w', none, untilAborted).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(2 * RENEW_MS);
    expect(await failure).toBeInstanceOf(LeaseLostError);
    await jest.advanceTimersByTimeAsync(10 * RENEW_MS);
    expect(take).toHaveBeenCalledTimes(3);
  });
});

describe('a claim that cannot be renewed', () => {
  it.each([
    ['fails', () => Promise.reject(new Error('no connection'))],
    ['does not end', () => pending<boolean>().promise],
  ])('is lost once it has expired if the renewal %s', async (_what, renewal) => {
    let lost: unknown;
    take.mockImplementation(renewal).mockResolvedValueOnce(true);
    const work = (signal: AbortSignal): Promise<never> => {
      signal.addEventListener('abort', () => {
        lost = signal.reason;
      });
      return untilAborted(signal);
    };
    schedules.exclusively('w', none, work).catch(() => undefined);
    await jest.advanceTimersByTimeAsync(4 * RENEW_MS - 1);
    expect(lost).toBeUndefined();
    await jest.advanceTimersByTimeAsync(RENEW_MS);
    expect(lost).toBeInstanceOf(LeaseLostError);
  });
});

it('releases a claim only after the renewal that is in flight', async () => {
  const renewal = pending<boolean>();
  const work = pending<string>();
  take.mockResolvedValueOnce(true).mockReturnValueOnce(renewal.promise);
  const result = schedules.exclusively('w', none, () => work.promise);
  await jest.advanceTimersByTimeAsync(RENEW_MS);
  expect(take).toHaveBeenCalledTimes(2);
  work.resolve('done');
  await jest.advanceTimersByTimeAsync(0);
  expect(release).not.toHaveBeenCalled();
  renewal.resolve(true);
  expect(await result).toBe('done');
  expect(release).toHaveBeenCalledTimes(1);
});
