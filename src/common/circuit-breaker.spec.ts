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

  it('opens after that many failures one after the other, and not when a success came between', () => {
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

  it('probes by timer until a probe succeeds, and counts as open all the while', async () => {
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

  it('probes at once when it is told to, one probe at a time', async () => {
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

  it('stays open when it is opened again while a probe is under way', async () => {
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

  it('may begin open, and then waits to be told', async () => {
    breaker = create('open');
    await jest.advanceTimersByTimeAsync(5000);
    expect(probe).not.toHaveBeenCalled();
    await breaker.probeNow();
    expect(breaker.isClosed).toBe(true);
    expect(breaker.timesOpened).toBe(0);
  });

  it('probes no more once it is stopped', async () => {
    breaker.open('lost');
    await breaker.stop();
    await jest.advanceTimersByTimeAsync(5000);
    await breaker.probeNow();
    expect(probe).not.toHaveBeenCalled();
  });
});
