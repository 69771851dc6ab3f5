import { loadSettings } from '../../config/index.js';
import { Monitoring } from '../monitoring.js';
import type { ProcessSection } from '../snapshot/monitoring-snapshot.js';
import { ProcessMonitoring } from './process-monitoring.js';

const settings = loadSettings({}).monitoring;

const valueOf = (body: string, series: string): number => {
  const line = body.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
};

describe('ProcessMonitoring', () => {
  let monitoring: Monitoring;
  let own: ProcessMonitoring;

  beforeEach(() => {
    monitoring = new Monitoring(settings);
    own = new ProcessMonitoring(monitoring, settings);
    own.onModuleInit();
  });
  afterEach(() => {
    own.onModuleDestroy();
  });

  const section = async (): Promise<ProcessSection> =>
    (await monitoring.sections.find(({ name }) => name === 'process')?.read()) as ProcessSection;

  it('exports memory, processor time, file descriptors and start time under the usual names', async () => {
    const { body } = await monitoring.metricsText();
    const rss = process.memoryUsage.rss();
    expect(valueOf(body, 'process_resident_memory_bytes') / rss).toBeCloseTo(1, 0);
    expect(valueOf(body, 'nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000);
    expect(valueOf(body, 'nodejs_heap_size_limit_bytes')).toBeGreaterThan(
      valueOf(body, 'nodejs_heap_size_used_bytes'),
    );
    expect(valueOf(body, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(valueOf(body, 'process_open_fds')).toBeGreaterThan(2);
    expect(valueOf(body, 'process_max_fds')).toBeGreaterThanOrEqual(valueOf(body, 'process_open_fds'));
    expect(valueOf(body, 'process_start_time_seconds')).toBeGreaterThan(1e9);
    expect(body).toMatch(/^colloquy_build_info\{version="\d+\.\d+\.\d+[^"]*",node="v\d+/m);
  });

  it('exports them for every application in a process', async () => {
    const other = new Monitoring(settings);
    new ProcessMonitoring(other, settings);
    expect(valueOf((await other.metricsText()).body, 'process_open_fds')).toBeGreaterThan(2);
    expect(valueOf((await monitoring.metricsText()).body, 'process_open_fds')).toBeGreaterThan(2);
  });

  it('reports the lag of a blocked event loop, and open files, in the snapshot', async () => {
    await new Promise(setImmediate);
    // The lag is sampled by a separate timer, so the loop is blocked until a sample includes it.
    while ((await section()).eventLoopLagP99Ms < 100) {
      const until = performance.now() + 150;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const { eventLoopUtilisation, openFiles, maxOpenFiles } = await section();
    expect(eventLoopUtilisation).toBeGreaterThan(0);
    expect(openFiles).toBeGreaterThan(2);
    expect(maxOpenFiles).toBeGreaterThanOrEqual(openFiles ?? NaN);
  });

  it('compares memory and lag with their limits', () => {
    const [process] = monitoring.sections.filter(({ name }) => name === 'process');
    const values = (of: Partial<ProcessSection> | null): unknown =>
      process?.alerts?.(of).map(({ name, value, levels }) => [name, value, levels]);
    expect(
      values({
        heapUsedBytes: 90,
        heapLimitBytes: 100,
        rssBytes: 300,
        memoryLimitBytes: 1000,
        eventLoopLagP99Ms: 12,
      }),
    ).toEqual([
      ['heap', 0.9, settings.ALERT_MEMORY_RATIO],
      ['memory', 0.3, settings.ALERT_MEMORY_RATIO],
      ['event_loop_lag', 12, settings.ALERT_EVENT_LOOP_LAG_MS],
    ]);
    expect(values(null)).toEqual([
      ['heap', undefined, settings.ALERT_MEMORY_RATIO],
      ['memory', undefined, settings.ALERT_MEMORY_RATIO],
      ['event_loop_lag', undefined, settings.ALERT_EVENT_LOOP_LAG_MS],
    ]);
  });
});
