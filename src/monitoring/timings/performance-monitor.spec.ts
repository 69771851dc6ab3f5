import { Durations } from './durations.js';
import {
  OTHER_OPERATIONS,
  PerformanceMonitor,
  type PerformanceMonitorOptions,
} from './performance-monitor.js';

const MINUTE = 60_000;

function monitorAt(options: PerformanceMonitorOptions = {}) {
  const clock = { now: 0 };
  const monitor = new PerformanceMonitor({ now: () => clock.now, ...options });
  return { monitor, clock };
}

/** Nearest-rank percentile: the smallest value that at least `percentile` % of the values do not exceed. */
const exactPercentile = (values: readonly number[], percentile: number): number =>
  [...values].sort((a, b) => a - b)[Math.ceil((percentile / 100) * values.length) - 1] ?? NaN;

/** Durations from 10 microseconds to a minute, log-uniformly distributed; the same in every run. */
function spreadDurations(count: number): number[] {
  let seed = 42;
  return Array.from({ length: count }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return 0.01 * 10 ** ((seed / 2_147_483_648) * 6.7);
  });
}

describe('PerformanceMonitor', () => {
  it('returns the exact count, mean and maximum', () => {
    const { monitor } = monitorAt();
    monitor.record('find', 10, true);
    monitor.record('find', 20, true);
    monitor.record('find', 33.25, false);
    monitor.record('find', 0.5, true);
    expect(monitor.getStats('find')).toMatchObject({
      operation: 'find',
      count: 4,
      errors: 1,
      errorRate: 0.25,
      meanMs: 63.75 / 4,
      maxMs: 33.25,
    });
  });

  it('returns percentiles within 5 % of the exact ones', () => {
    const { monitor } = monitorAt();
    const durations = spreadDurations(20_000);
    for (const duration of durations) monitor.record('mixed', duration, true);
    const stats = monitor.getStats('mixed');
    for (const [percentile, returned] of [
      [50, stats?.p50Ms],
      [95, stats?.p95Ms],
      [99, stats?.p99Ms],
    ] as const) {
      const exact = exactPercentile(durations, percentile);
      expect(Math.abs((returned ?? NaN) - exact) / exact).toBeLessThan(0.05);
    }
  });

  it('never returns a percentile above the maximum', () => {
    const { monitor } = monitorAt();
    monitor.record('one', 1234.567, true);
    expect(monitor.getStats('one')).toMatchObject({ p50Ms: 1234.567, p99Ms: 1234.567, maxMs: 1234.567 });
  });

  it('records negative durations and NaN as 0, and durations of days unchanged', () => {
    const { monitor } = monitorAt();
    monitor.record('odd', -5, true);
    monitor.record('odd', NaN, true);
    monitor.record('odd', 86_400_000, true);
    expect(monitor.getStats('odd')).toMatchObject({ count: 3, maxMs: 86_400_000 });
    expect(monitor.getStats('odd')?.p50Ms).toBeLessThanOrEqual(0.01);
    expect(monitor.getStats('odd')?.p99Ms).toBe(86_400_000);
  });

  it('drops old durations slice by slice', () => {
    const { monitor, clock } = monitorAt();
    monitor.record('op', 1000, false);
    clock.now = 4 * MINUTE;
    monitor.record('op', 10, true);
    expect(monitor.getStats('op')).toMatchObject({ count: 2, errors: 1, maxMs: 1000 });
    clock.now = 5 * MINUTE - 1;
    expect(monitor.getStats('op')).toMatchObject({ count: 2, maxMs: 1000 });
    clock.now = 5 * MINUTE;
    expect(monitor.getStats('op')).toMatchObject({ count: 1, errors: 0, errorRate: 0, maxMs: 10 });
    clock.now = 9 * MINUTE;
    expect(monitor.getStats('op')).toMatchObject({ count: 0, meanMs: null, p95Ms: null, maxMs: null });
  });

  it('contains nothing of an earlier window when the ring buffer wraps around', () => {
    const { monitor, clock } = monitorAt();
    for (let minute = 0; minute < 23; minute++) {
      clock.now = minute * MINUTE;
      monitor.record('op', minute + 1, true);
    }
    expect(monitor.getStats('op')).toMatchObject({ count: 5, meanMs: 21, maxMs: 23 });
    clock.now = 1000 * MINUTE;
    monitor.record('op', 7, true);
    expect(monitor.getStats('op')).toMatchObject({ count: 1, meanMs: 7, maxMs: 7 });
  });

  it('combines operations beyond the limit as other', () => {
    const { monitor } = monitorAt({ maxOperations: 3 });
    for (let number = 0; number < 1000; number++) monitor.record(`op-${number}`, number, true);
    expect(monitor.getStats('op-2')?.count).toBe(1);
    expect(monitor.getStats('op-3')).toBeUndefined();
    expect(monitor.getStats(OTHER_OPERATIONS)?.count).toBe(997);
    expect(monitor.getAllStats()).toHaveLength(4);
  });

  it('includes series that are recorded elsewhere, combined with others of the same operation', () => {
    const { monitor, clock } = monitorAt();
    const [found, failed] = [1, 2].map(() => new Durations(() => clock.now));
    if (!found || !failed) throw new Error('two series are needed');
    monitor.add('GET /things', found);
    monitor.add('GET /things', failed);
    found.record(10, true);
    failed.record(30, false);
    expect(monitor.getAllStats()).toEqual([
      expect.objectContaining({ operation: 'GET /things', count: 2, errors: 1, meanMs: 20, maxMs: 30 }),
    ]);
  });

  it('times work, and distinguishes failures from successes', async () => {
    const { monitor, clock } = monitorAt();
    const result = await monitor.time('work', async () => {
      clock.now += 25;
      return Promise.resolve('done');
    });
    expect(result).toBe('done');
    const failing = monitor.time('work', () => {
      clock.now += 75;
      throw new Error('broken');
    });
    await expect(failing).rejects.toThrow('broken');
    expect(monitor.getStats('work')).toMatchObject({ count: 2, errors: 1, meanMs: 50, maxMs: 75 });
  });

  it('lists the slowest first and prints them as a table', () => {
    const { monitor } = monitorAt();
    monitor.record('quick', 1, true);
    monitor.record('slow', 250, false);
    expect(monitor.getAllStats().map(({ operation }) => operation)).toEqual(['slow', 'quick']);
    expect(monitor.formatSummary()).toBe(
      [
        'operation  count   errors  mean ms  p50 ms  p95 ms  p99 ms  max ms',
        'slow           1  100.0 %      250     250     250     250     250',
        'quick          1    0.0 %     1.00    1.00    1.00    1.00    1.00',
      ].join('\n'),
    );
  });
});
