import { Metrics } from '../metrics/metrics.js';
import { TrafficMeter } from '../timings/traffic-meter.js';
import { ProcessMetrics } from './process-metrics.js';

const valueOf = (body: string, series: string): number => {
  const line = body.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
};

describe('ProcessMetrics', () => {
  let metrics: Metrics;
  let own: ProcessMetrics;

  beforeEach(() => {
    metrics = new Metrics();
    own = new ProcessMetrics(metrics, new TrafficMeter());
    own.onModuleInit();
  });
  afterEach(() => {
    own.onModuleDestroy();
  });

  it('tells memory, processor time, file descriptors and uptime under the usual names', async () => {
    const { body } = await metrics.text();
    const rss = process.memoryUsage.rss();
    expect(valueOf(body, 'process_resident_memory_bytes') / rss).toBeCloseTo(1, 0);
    expect(valueOf(body, 'nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000);
    expect(valueOf(body, 'nodejs_heap_size_limit_bytes')).toBeGreaterThan(
      valueOf(body, 'nodejs_heap_size_used_bytes'),
    );
    expect(valueOf(body, 'process_cpu_seconds_total{mode="user"}')).toBeGreaterThan(0);
    expect(valueOf(body, 'process_open_fds')).toBeGreaterThan(2);
    expect(valueOf(body, 'process_max_fds')).toBeGreaterThanOrEqual(valueOf(body, 'process_open_fds'));
    expect(valueOf(body, 'colloquy_process_uptime_seconds')).toBeGreaterThan(0);
    expect(body).toMatch(/^colloquy_build_info\{version="\d+\.\d+\.\d+[^"]*",node="v\d+/m);
  });

  it('tells processor time as a sum that never goes back', async () => {
    const before = valueOf((await metrics.text()).body, 'process_cpu_seconds_total{mode="user"}');
    const told = valueOf((await metrics.text()).body, 'process_cpu_seconds_total{mode="user"}');
    expect(told).toBeGreaterThanOrEqual(before);
    expect(told).toBeLessThanOrEqual(process.cpuUsage().user / 1e6);
  });

  it('tells the lag of an event loop that was held up', async () => {
    await new Promise(setImmediate);
    const lag = (): number => own.stats().eventLoop.lagMaxMs;
    // A sample is taken by a timer of its own: hold the loop up until one has seen it.
    while (lag() < 100) {
      const until = performance.now() + 150;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(valueOf((await metrics.text()).body, 'nodejs_eventloop_lag_max_seconds')).toBeGreaterThanOrEqual(
      0.1,
    );
    expect(own.stats().eventLoop.utilization).toBeGreaterThan(0);
  });
});
