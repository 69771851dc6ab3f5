import type { AlertPublisher } from '../alerts/alert-publisher.js';
import { AlertTracker } from '../alerts/alert-tracker.js';
import type { Measurement } from '../alerts/alert.js';
import type { HealthStatus } from '../health/health-check.js';
import { MetricsService, SNAPSHOT_CACHE_MS } from './metrics.service.js';
import type { Measured } from './monitoring-snapshot.js';
import type { SnapshotReader } from './snapshot-reader.js';

const HOLD_MS = 3000;

const lag = (value: number): Measurement => ({
  name: 'lag',
  title: 'The lag',
  unit: 'ms',
  worse: 'higher',
  levels: { warning: 200, critical: 1000 },
  value,
});

function start() {
  const now = { value: 0, check: 'up' as HealthStatus, reads: 0 };
  const published: string[] = [];
  const reader: Pick<SnapshotReader, 'read'> = {
    read: () => {
      now.reads++;
      const health = {
        ready: now.check !== 'down',
        checks: { disk: { status: now.check, durationMs: 1 } },
      };
      const measured: Measured = {
        at: new Date().toISOString(),
        health,
        slow: [],
        service: { name: 'c', version: '1', instance: 'h:1', node: 'v', uptimeSeconds: 1, monitoring: 'on' },
      };
      return Promise.resolve({ measured, limited: [lag(now.value)] });
    },
  };
  const publisher: Pick<AlertPublisher, 'publish'> = {
    publish: ({ kind }, { status }) => void published.push(`${kind} ${status}`),
  };
  const tracker = new AlertTracker({ holdMs: HOLD_MS });
  const metrics = new MetricsService(reader as SnapshotReader, tracker, publisher as AlertPublisher);
  return { metrics, now, published };
}

describe('MetricsService', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('reads once for concurrent callers, and again after a second', async () => {
    const { metrics, now } = start();
    const [first, second] = await Promise.all([metrics.collect(), metrics.collect()]);
    expect(first.at).toBe(second.at);
    jest.advanceTimersByTime(SNAPSHOT_CACHE_MS - 1);
    await metrics.collect();
    expect(now.reads).toBe(1);
    jest.advanceTimersByTime(1);
    await metrics.collect();
    expect(now.reads).toBe(2);
  });

  it('reports each change once, with the resulting status', async () => {
    const { metrics, now, published } = start();
    now.value = 300;
    for (let second = 0; second < 10; second++) {
      await metrics.checkThresholds();
      jest.advanceTimersByTime(1000);
    }
    expect(published).toEqual(['raised degraded']);
    const { status, alerts } = await metrics.checkThresholds();
    expect([status, alerts.map(({ name }) => name)]).toEqual(['degraded', ['lag']]);
    now.value = 0;
    for (let second = 0; second < 10; second++) {
      jest.advanceTimersByTime(1000);
      await metrics.checkThresholds();
    }
    expect(published).toEqual(['raised degraded', 'cleared healthy']);
    expect((await metrics.collect()).alerts.recent).toHaveLength(1);
  });

  it('does not start an alert sooner if it is called more often', async () => {
    const { metrics, now, published } = start();
    now.value = 5000;
    for (let call = 0; call < 20; call++) await metrics.checkThresholds();
    jest.advanceTimersByTime(HOLD_MS);
    await metrics.checkThresholds();
    expect(published).toEqual([]);
    jest.advanceTimersByTime(SNAPSHOT_CACHE_MS);
    expect((await metrics.checkThresholds()).status).toBe('critical');
    expect(published).toEqual(['raised critical']);
  });

  it.each([
    ['up', 'healthy'],
    ['degraded', 'degraded'],
    ['down', 'critical'],
  ] as const)('converts a check that is %s to the status %s', async (check, status) => {
    const { metrics, now } = start();
    now.check = check;
    expect((await metrics.collect()).status).toBe(status);
  });
});
