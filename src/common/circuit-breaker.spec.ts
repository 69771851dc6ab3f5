import { CircuitBreaker } from './circuit-breaker.js';

describe('CircuitBreaker', () => {
  const probe = jest.fn<Promise<void>, []>();
  const changes: string[] = [];
  let breaker: CircuitBreaker;

  const create = (initial: 'closed' | 'open' = 'closed'): CircuitBreaker =>
    new CircuitBreaker(
      {
        failures: 3,
        probeIntervalMs: 1000,
        probe,
        onChange: (state) => changes.push(state),
      },
      initial,
    );

  beforeEach(() => {
    jest.useFakeTimers();
    probe.mockReset().mockResolvedValue(undefined);
    changes.length = 0;
    breaker = create();
  });
  afterEach(async () => {
    await breaker.stop();
    jest.useRealTimers();
  });

  it('opens after the configured number of consecutive failures, but not if a success is among them', () => {
    breaker.failure('1');
    breaker.failure('2');
    breaker.succeeded();
    breaker.failure('3');
    breaker.failure('4');
    expect(breaker.isClosed).toBe(true);
    breaker.failure('5');
    expect(breaker.state).toBe('open');
    expect(breaker.timesOpened).toBe(1);
  });

  it('probes periodically until a probe succeeds, and is not closed until then', async () => {
    probe.mockRejectedValueOnce(new Error('still down'));
    breaker.open('lost');
    await jest.advanceTimersByTimeAsync(999);
    expect(probe).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(breaker.isClosed).toBe(false);
    await jest.advanceTimersByTimeAsync(1000);
    expect(breaker.isClosed).toBe(true);
    expect(probe).toHaveBeenCalledTimes(2);
    expect(changes).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
    expect(breaker.timesOpened).toBe(1);
  });

  it('probes immediately on probeNow(), but never concurrently', async () => {
    let end!: () => void;
    probe.mockReturnValue(new Promise((resolve) => (end = resolve)));
    breaker.open('lost');
    const probes = [breaker.probeNow(), breaker.probeNow()];
    expect(breaker.state).toBe('half-open');
    end();
    await Promise.all(probes);
    expect(probe).toHaveBeenCalledTimes(1);
    expect(breaker.isClosed).toBe(true);
  });

  it('stays open if it is opened again during a probe', async () => {
    let end!: () => void;
    probe.mockReturnValueOnce(new Promise((resolve) => (end = resolve)));
    breaker.open('lost');
    const probing = breaker.probeNow();
    breaker.open('lost again');
    end();
    await probing;
    expect(breaker.state).toBe('open');
    await jest.advanceTimersByTimeAsync(1000);
    expect(breaker.isClosed).toBe(true);
  });

  it('can be created open, and then does not probe until probeNow() is called', async () => {
    breaker = create('open');
    await jest.advanceTimersByTimeAsync(5000);
    expect(probe).not.toHaveBeenCalled();
    await breaker.probeNow();
    expect(breaker.isClosed).toBe(true);
    expect(breaker.timesOpened).toBe(0);
  });

  it('does not probe after stop()', async () => {
    breaker.open('lost');
    await breaker.stop();
    await jest.advanceTimersByTimeAsync(5000);
    await breaker.probeNow();
    expect(probe).not.toHaveBeenCalled();
  });
});
