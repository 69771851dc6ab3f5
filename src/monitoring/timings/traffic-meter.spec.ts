import { TrafficMeter } from './traffic-meter.js';

describe('TrafficMeter', () => {
  it('tells rate, failures and percentiles of the last minute', () => {
    let now = 1_000_000;
    const { requests, commands } = new TrafficMeter(() => now);
    now += 50_000;
    for (let number = 1; number <= 100; number++) requests.record(number, number > 10);
    expect(requests.read()).toMatchObject({ count: 100, errorRate: 0.1, ratePerSecond: 2 });
    expect(requests.read().p95Ms).toBeCloseTo(95, -1);
    expect(commands.read()).toMatchObject({ count: 0, ratePerSecond: 0, p95Ms: null });
    now += 60_000;
    expect(requests.read()).toMatchObject({ count: 0, ratePerSecond: 0 });
  });

  it('makes no great rate of one request in the first moment', () => {
    let now = 0;
    const { requests } = new TrafficMeter(() => now);
    now = 1;
    requests.record(5, true);
    expect(requests.read().ratePerSecond).toBe(1);
  });
});
