import { CachedCheck } from './cached-check.js';
import type { HealthCheck, HealthFinding } from './health-check.js';

const options = { timeoutMs: 2000, cacheMs: 1000 };

/** A check whose runs the test resolves. */
function heldCheck(kind: HealthCheck['kind'] = 'required') {
  const held: ((finding: HealthFinding) => void)[] = [];
  const run = jest.fn(() => new Promise<HealthFinding>((resolve) => held.push(resolve)));
  return { cached: new CachedCheck({ name: 'held', kind, run }, options), run, held };
}

describe('CachedCheck', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('reuses a result for a second, then runs again', async () => {
    const run = jest.fn((): HealthFinding => ({ status: 'up' }));
    const cached = new CachedCheck({ name: 'quick', kind: 'required', run }, options);
    await cached.result();
    jest.advanceTimersByTime(999);
    await cached.result();
    expect(run).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(1);
    await cached.result();
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('runs once for concurrent probes', async () => {
    const { cached, run, held } = heldCheck();
    const answers = Promise.all([cached.result(), cached.result(), cached.result()]);
    await jest.advanceTimersByTimeAsync(100);
    held[0]?.({ status: 'up', details: { freeBytes: 7 } });
    const expected = { status: 'up', details: { freeBytes: 7 }, durationMs: 100 };
    expect(await answers).toEqual([expected, expected, expected]);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('is down if there is no response within the timeout, and not before', async () => {
    const { cached } = heldCheck();
    const settled = jest.fn();
    const result = cached.result();
    void result.then(settled);
    await jest.advanceTimersByTimeAsync(1999);
    expect(settled).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(await result).toEqual({ status: 'down', reason: 'no response within 2000 ms', durationMs: 2000 });
  });

  it('leaves no timer behind after a result', async () => {
    const cached = new CachedCheck(
      { name: 'quick', kind: 'required', run: () => ({ status: 'up' }) },
      options,
    );
    await cached.result();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is down with the message of the error that was thrown', async () => {
    const run = (): HealthFinding => {
      throw new Error('not today');
    };
    const cached = new CachedCheck({ name: 'broken', kind: 'required', run }, options);
    expect(await cached.result()).toMatchObject({ status: 'down', reason: 'not today' });
  });

  it('a degrading check is never worse than degraded', async () => {
    const { cached } = heldCheck('degrading');
    const result = cached.result();
    await jest.advanceTimersByTimeAsync(2000);
    expect(await result).toMatchObject({ status: 'degraded', reason: 'no response within 2000 ms' });
  });

  it('starts no further run while four hang, and does once they have ended', async () => {
    const { cached, run, held } = heldCheck();
    const probe = async (): Promise<string> => {
      const result = cached.result();
      await jest.advanceTimersByTimeAsync(2000);
      const { status } = await result;
      await jest.advanceTimersByTimeAsync(1000);
      return status;
    };
    for (let count = 0; count < 6; count++) expect(await probe()).toBe('down');
    expect(run).toHaveBeenCalledTimes(4);
    for (const end of held) end({ status: 'up' });
    await jest.advanceTimersByTimeAsync(0);
    const result = cached.result();
    await jest.advanceTimersByTimeAsync(0);
    held.at(-1)?.({ status: 'up' });
    expect(await result).toMatchObject({ status: 'up' });
    expect(run).toHaveBeenCalledTimes(5);
  });
});
