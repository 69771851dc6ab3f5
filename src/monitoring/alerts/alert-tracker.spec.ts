import type { Measurement } from './alert.js';
import { type AlertChange, AlertTracker } from './alert-tracker.js';

const HOLD_MS = 30_000;
const STEP_MS = 10_000;

const lag = (value: number | null | undefined): Measurement => ({
  name: 'lag',
  title: 'The lag',
  unit: 'ms',
  worse: 'higher',
  levels: { warning: 200, critical: 1000 },
  value,
});

const disk = (value: number): Measurement => ({
  name: 'disk',
  title: 'The free space',
  unit: 'bytes',
  worse: 'lower',
  levels: { warning: 1000, critical: 100 },
  value,
});

function start() {
  const clock = { now: Date.parse('2026-01-01T00:00:00.000Z') };
  const tracker = new AlertTracker({ holdMs: HOLD_MS, now: () => clock.now });
  const changes: AlertChange[] = [];
  /** Feeds one sample of each measurement, 10 s apart, and returns the changes. */
  const feed = (...measurements: Measurement[]): string[] =>
    measurements.flatMap((measurement) => {
      const found = tracker.update([measurement]);
      changes.push(...found);
      clock.now += STEP_MS;
      return found.map(({ kind, alert }) => `${kind} ${alert.severity}`);
    });
  const lags = (...values: (number | null | undefined)[]): string[] => feed(...values.map(lag));
  return { tracker, clock, changes, feed, lags };
}

const times = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);

describe('AlertTracker', () => {
  it('raises an alert once, when the value has been beyond its limit for the hold time', () => {
    const { tracker, changes, lags } = start();
    expect(lags(300, 300, 300)).toEqual([]);
    expect(tracker.active()).toEqual([]);
    expect(lags(300)).toEqual(['raised warning']);
    expect(lags(300, 300, 300, 300, 300)).toEqual([]);
    expect(changes[0]?.alert).toMatchObject({
      name: 'lag',
      severity: 'warning',
      message: 'The lag is 300 ms, above 200 ms.',
      value: 300,
      limit: 200,
      unit: 'ms',
      startedAt: '2026-01-01T00:00:00.000Z',
      endedAt: null,
    });
  });

  it('accepts a value equal to its limit', () => {
    expect(start().lags(...times(10, 200))).toEqual([]);
  });

  it('raises no alert if the value is within its limit from time to time', () => {
    const { lags } = start();
    for (let round = 0; round < 20; round++) expect(lags(5000, 5000, 5000, 199)).toEqual([]);
  });

  it('raises no alert after two samples, however far apart', () => {
    const { clock, lags } = start();
    lags(300);
    clock.now += 10 * HOLD_MS;
    expect(lags(300)).toEqual([]);
    expect(lags(300)).toEqual(['raised warning']);
  });

  it('clears an alert when the value has been well within its limit for the hold time', () => {
    const { tracker, changes, lags } = start();
    lags(...times(4, 300));
    expect(lags(10, 10, 10)).toEqual([]);
    expect(tracker.active()).toHaveLength(1);
    expect(lags(10)).toEqual(['cleared warning']);
    expect(tracker.active()).toEqual([]);
    const [raised, cleared] = changes;
    expect(cleared?.alert).toMatchObject({ id: raised?.alert.id, endedAt: '2026-01-01T00:01:10.000Z' });
    expect(tracker.recent()).toEqual([cleared?.alert]);
    expect(lags(...times(10, 10))).toEqual([]);
  });

  it('keeps an alert whose value is within the limit, but not well within', () => {
    const { tracker, lags } = start();
    lags(...times(4, 300));
    expect(lags(...times(20, 190))).toEqual([]);
    expect(tracker.active()).toHaveLength(1);
    expect(lags(...times(4, 180))).toEqual(['cleared warning']);
  });

  it('raises one alert for a fluctuating value', () => {
    const { lags } = start();
    lags(...times(4, 300));
    const seen = Array.from({ length: 30 }, () => lags(10, 10, 250)).flat();
    expect(seen).toEqual([]);
  });

  it('reports that a warning became critical, and raises an alert as critical if it starts so', () => {
    const worse = start();
    expect(worse.lags(300, 300, 300, 300, 2000, 2000, 2000)).toEqual(['raised warning']);
    expect(worse.lags(2000)).toEqual(['worsened critical']);
    expect(worse.changes[1]?.alert).toMatchObject({
      id: worse.changes[0]?.alert.id,
      limit: 1000,
      value: 2000,
    });
    expect(start().lags(...times(8, 2000))).toEqual(['raised critical']);
  });

  it('raises a warning for a value that is always above the warning limit and sometimes critical', () => {
    expect(start().lags(2000, 300, 2000, 300, 2000, 300)).toEqual(['raised warning']);
  });

  it('eases before it clears, and keeps the highest severity', () => {
    const { tracker, lags } = start();
    lags(...times(4, 2000));
    expect(lags(300, 300, 300, 300)).toEqual(['eased warning']);
    expect(tracker.active()[0]).toMatchObject({ severity: 'warning', limit: 200 });
    expect(lags(...times(4, 0))).toEqual(['cleared critical']);
  });

  it('clears a critical alert directly if the value is well within both limits', () => {
    const { lags } = start();
    lags(...times(4, 2000));
    expect(lags(...times(8, 0))).toEqual(['cleared critical']);
  });

  it('clears an alert if there is too little data, and keeps it while the value cannot be read', () => {
    const { tracker, lags } = start();
    lags(...times(4, 300));
    expect(lags(...times(20, undefined))).toEqual([]);
    expect(tracker.active()).toHaveLength(1);
    expect(lags(...times(4, null))).toEqual(['cleared warning']);
  });

  it('restarts the hold time after a value that could not be read', () => {
    expect(start().lags(300, 300, 300, undefined, 300, 300, 300)).toEqual([]);
  });

  it('supports values for which lower is worse', () => {
    const { feed } = start();
    expect(feed(...times(4, disk(50)))).toEqual(['raised critical']);
    expect(feed(...times(4, disk(1050)))).toEqual(['eased warning']);
    expect(feed(...times(4, disk(1100)))).toEqual(['cleared critical']);
  });

  it('shows active alerts with their current value', () => {
    const { tracker, lags } = start();
    lags(...times(4, 300), 400);
    expect(tracker.active()[0]).toMatchObject({ value: 400, message: 'The lag is 400 ms, above 200 ms.' });
  });

  it('puts critical alerts first', () => {
    const { tracker, clock } = start();
    for (let sample = 0; sample < 4; sample++) {
      tracker.update([lag(300), disk(50)]);
      clock.now += STEP_MS;
    }
    expect(tracker.active().map(({ name }) => name)).toEqual(['disk', 'lag']);
  });

  it('keeps the last 100 ended alerts, latest first', () => {
    const { tracker, changes, lags } = start();
    for (let round = 0; round < 103; round++) lags(...times(4, 300), ...times(4, 0));
    const ended = changes.filter(({ kind }) => kind === 'cleared').map(({ alert }) => alert.id);
    expect(ended).toHaveLength(103);
    expect(tracker.recent().map(({ id }) => id)).toEqual(ended.slice(3).reverse());
  });
});
