import { Durations } from './durations.js';
import { TrafficMeter } from './traffic-meter.js';

describe('TrafficMeter', () => {
  it('returns rate, failures and percentiles of the last minute for all series combined', () => {
    let now = 1_000_000;
    const clock = (): number => now;
    const requests = new TrafficMeter(clock);
    const [one, other] = [new Durations(clock), new Durations(clock)];
    requests.add(one);
    requests.add(other);
    now += 50_000;
    for (let number = 1; number <= 100; number++)
      (number % 2 === 0 ? one : other).record(number, number > 10);
    expect(requests.read()).toMatchObject({ count: 100, errorRate: 0.1, ratePerSecond: 2 });
    expect(requests.read().p95Ms).toBeCloseTo(95, -1);
    now += 60_000;
    expect(requests.read()).toMatchObject({ count: 0, ratePerSecond: 0, p95Ms: null });
  });

  it('does not compute a high rate from one request in the first moment', () => {
    let now = 0;
    const clock = (): number => now;
    const requests = new TrafficMeter(clock);
    const series = new Durations(clock);
    requests.add(series);
    now = 1;
    series.record(5, true);
    expect(requests.read().ratePerSecond).toBe(1);
  });
});
