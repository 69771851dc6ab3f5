import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { totalmem } from 'node:os';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { MONITORING_SETTINGS, type MonitoringSettings, programVersion } from '../../config/index.js';
import type { MeasuredValue } from '../alerts/alert.js';
import { type ExportedMetric, gauge } from '../metrics/metric.js';
import { Monitoring } from '../monitoring.js';
import type { ProcessSection } from '../snapshot/monitoring-snapshot.js';
import { Durations } from '../timings/durations.js';
import { TrafficMeter } from '../timings/traffic-meter.js';
import { EventLoopMonitor } from './event-loop-monitor.js';

/**
 * Metrics of prom-client that are not exported: gauges whose names end in `_total`, which `promtool check
 * metrics` rejects, and those that duplicate `nodejs_active_resources` through deprecated functions of
 * Node.js.
 */
const EXCLUDED = /^nodejs_active_(handles|requests|resources_total)/;

let defaultMetrics: Registry | undefined;

/**
 * One registry per process, even if the process has several applications, because the observers behind these
 * metrics are never removed.
 */
function metricsOfProcess(): Registry {
  if (!defaultMetrics) {
    defaultMetrics = new Registry();
    collectDefaultMetrics({ register: defaultMetrics });
    for (const { name } of defaultMetrics.getMetricsAsArray())
      if (EXCLUDED.test(name)) defaultMetrics.removeSingleMetric(name);
  }
  return defaultMetrics;
}

const metricsOf = (registry: Registry): ExportedMetric[] =>
  registry.getMetricsAsArray().flatMap(({ name }) => registry.getSingleMetric(name) ?? []);

/** The current value of a metric without labels; null if the operating system does not report it. */
async function valueOf(registry: Registry, name: string): Promise<number | null> {
  const metric = await registry.getSingleMetric(name)?.get();
  return metric?.values[0]?.value ?? null;
}

/**
 * The memory limit of the container if it is below the memory of the machine, otherwise the memory of the
 * machine.
 */
function memoryLimitBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/**
 * Metrics, alerts and snapshot section for memory, processor, event loop and garbage collector of this
 * process.
 */
@Injectable()
export class ProcessMonitoring implements OnModuleInit, OnModuleDestroy {
  private readonly eventLoop = new EventLoopMonitor();
  private readonly gcPauses = new TrafficMeter();
  private readonly gcObserver: PerformanceObserver;
  private cpuBefore = { atMs: performance.now(), usage: process.cpuUsage() };

  constructor(
    monitoring: Monitoring,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {
    const pauses = new Durations();
    this.gcPauses.add(pauses);
    this.gcObserver = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) pauses.record(duration, true);
    });
    monitoring.contribute({
      metrics: [...metricsOf(metricsOfProcess()), ...this.gauges()],
      snapshot: {
        name: 'process',
        read: () => this.section(),
        alerts: (section) => this.alerts(section),
      },
    });
  }

  onModuleInit(): void {
    this.eventLoop.start();
    this.gcObserver.observe({ entryTypes: ['gc'] });
  }

  onModuleDestroy(): void {
    this.eventLoop.stop();
    this.gcObserver.disconnect();
  }

  /** Metrics that prom-client does not provide. */
  private gauges(): ExportedMetric[] {
    return [
      gauge({
        name: 'nodejs_heap_size_limit_bytes',
        help: 'Maximum heap size',
        read: (set) => {
          set(getHeapStatistics().heap_size_limit);
        },
      }),
      gauge({
        name: 'nodejs_eventloop_utilization_ratio',
        help: 'Share of the last 10 s in which the event loop was busy',
        read: (set) => {
          set(this.eventLoop.stats().utilization);
        },
      }),
      gauge({
        name: 'colloquy_build_info',
        help: 'Always 1; its labels are the version of this service and of Node.js',
        labelNames: ['version', 'node'],
        read: (set) => {
          set(1, { version: programVersion(), node: process.version });
        },
      }),
    ];
  }

  private async section(): Promise<ProcessSection> {
    const { rss, heapUsed } = process.memoryUsage();
    const { lagP99Ms, utilization } = this.eventLoop.stats();
    return {
      rssBytes: rss,
      memoryLimitBytes: memoryLimitBytes(),
      heapUsedBytes: heapUsed,
      heapLimitBytes: getHeapStatistics().heap_size_limit,
      eventLoopLagP99Ms: lagP99Ms,
      eventLoopUtilisation: utilization,
      gcPauseP99Ms: this.gcPauses.read().p99Ms,
      cpuCores: this.readCpu(),
      openFiles: await valueOf(metricsOfProcess(), 'process_open_fds'),
      maxOpenFiles: await valueOf(metricsOfProcess(), 'process_max_fds'),
    };
  }

  private readCpu(): number {
    const { atMs, usage } = this.cpuBefore;
    const now = { atMs: performance.now(), usage: process.cpuUsage() };
    this.cpuBefore = now;
    const usedMs = (now.usage.user - usage.user + now.usage.system - usage.system) / 1000;
    return now.atMs > atMs ? usedMs / (now.atMs - atMs) : 0;
  }

  private alerts(section: ProcessSection | null): MeasuredValue[] {
    const { ALERT_MEMORY_RATIO, ALERT_EVENT_LOOP_LAG_MS } = this.settings;
    return [
      {
        name: 'heap',
        title: 'The used share of the maximum heap size',
        unit: 'ratio',
        levels: ALERT_MEMORY_RATIO,
        value: section ? section.heapUsedBytes / section.heapLimitBytes : undefined,
      },
      {
        name: 'memory',
        title: 'The used share of the memory available to the process',
        unit: 'ratio',
        levels: ALERT_MEMORY_RATIO,
        value: section ? section.rssBytes / section.memoryLimitBytes : undefined,
      },
      {
        name: 'event_loop_lag',
        title: 'The p99 of the event loop lag',
        unit: 'ms',
        levels: ALERT_EVENT_LOOP_LAG_MS,
        value: section?.eventLoopLagP99Ms,
      },
    ];
  }
}
