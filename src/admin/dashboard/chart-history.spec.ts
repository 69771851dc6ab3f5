import { ChartHistory, HISTORY_SECONDS, HISTORY_STEP_SECONDS } from './chart-history.js';
import { CHARTED, type ChartPoint } from './chart-point.js';
import { RateWindow } from './rate-window.js';

const pointAt = (at: number): ChartPoint =>
  ({ at, ...Object.fromEntries(CHARTED.map((name) => [name, at])) }) as ChartPoint;

describe('ChartHistory', () => {
  it('keeps one point per step, however often points are added', () => {
    const history = new ChartHistory();
    for (let at = 1000; at <= 1040; at += 2) history.add(pointAt(at));
    expect(history.columns().at).toEqual([1000, 1010, 1020, 1030, 1040]);
    expect(history.columns().p95Ms).toEqual([1000, 1010, 1020, 1030, 1040]);
  });

  it('accepts a timer that fires slightly early', () => {
    const history = new ChartHistory();
    for (const at of [0, 9.9, 19.8]) history.add(pointAt(at));
    expect(history.columns().at).toEqual([0, 9.9, 19.8]);
  });

  it('continues after the clock is set back', () => {
    const history = new ChartHistory();
    for (const at of [1000, 1010, 1020, 1005, 1015]) history.add(pointAt(at));
    expect(history.columns().at).toEqual([1000, 1015]);
  });

  it('keeps no more than its time span, however long it runs, and after a pause', () => {
    const history = new ChartHistory();
    for (let at = 0; at < 10 * HISTORY_SECONDS; at += HISTORY_STEP_SECONDS) history.add(pointAt(at));
    const { at, rssBytes } = history.columns();
    expect(at).toHaveLength(HISTORY_SECONDS / HISTORY_STEP_SECONDS);
    expect(at.at(-1)).toBe(10 * HISTORY_SECONDS - HISTORY_STEP_SECONDS);
    expect(rssBytes).toHaveLength(at.length);
    history.add(pointAt(11 * HISTORY_SECONDS - 20));
    expect(history.columns().at).toEqual([
      10 * HISTORY_SECONDS - 20,
      10 * HISTORY_SECONDS - 10,
      11 * HISTORY_SECONDS - 20,
    ]);
  });
});

describe('RateWindow', () => {
  it('returns the increase per minute over the last minute', () => {
    const rate = new RateWindow();
    expect(rate.perMinute(0, 100)).toBeNull();
    expect(rate.perMinute(10, 110)).toBeCloseTo(60);
    for (let at = 20; at <= 70; at += 10) rate.perMinute(at, 110);
    expect(rate.perMinute(80, 110)).toBe(0);
  });

  it('starts over when the total is reset', () => {
    const rate = new RateWindow();
    rate.perMinute(0, 500);
    expect(rate.perMinute(10, 3)).toBeNull();
    expect(rate.perMinute(20, 4)).toBeCloseTo(6);
  });
});
