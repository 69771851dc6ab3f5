import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { readdirSync, readFileSync } from 'node:fs';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { Counter, Gauge } from 'prom-client';
import { programVersion } from '../../config/index.js';
import { DurationMetric } from '../metrics/duration-metric.js';
import { METRIC_PREFIX, Metrics } from '../metrics/metrics.js';
import { TrafficMeter } from '../timings/traffic-meter.js';
import { EventLoopMonitor, type EventLoopStats } from './event-loop-monitor.js';

/** Seconds. */
const GC_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

const gcKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

export interface ProcessStats {
  uptimeSeconds: number;
  residentBytes: number;
  heapUsedBytes: number;
  heapTotalBytes: number;
  /** The heap does not grow beyond this: the process ends before. */
  heapLimitBytes: number;
  externalBytes: number;
  /** Null where the system does not tell. */
  openFileDescriptors: number | null;
  maxFileDescriptors: number | null;
  eventLoop: EventLoopStats;
  version: string;
  node: string;
}

const orNull = <T>(read: () => T): T | null => {
  try {
    return read();
  } catch {
    return null;
  }
};

/** What the operating system and V8 report about this process, under the names that exporters of Node use where there are any. */
@Injectable()
export class ProcessMetrics implements OnModuleInit, OnModuleDestroy {
  private readonly eventLoop = new EventLoopMonitor();
  private readonly version = programVersion();
  private readonly gcPauses: DurationMetric<'kind'>;
  private readonly gcObserver: PerformanceObserver;
  private readonly maxFileDescriptors = orNull(readMaxFileDescriptors);
  private reading: ProcessStats | undefined;

  constructor(
    private readonly metrics: Metrics,
    traffic: TrafficMeter,
  ) {
    this.gcPauses = new DurationMetric(metrics, {
      name: 'nodejs_gc_duration_seconds',
      help: 'Pauses of the garbage collector by kind: major, minor, incremental, weakcb',
      labelNames: ['kind'],
      buckets: GC_BUCKETS,
    });
    this.gcObserver = new PerformanceObserver((list) => {
      for (const { detail, duration } of list.getEntries()) {
        const kind = gcKinds[(detail as { kind: number }).kind] ?? 'other';
        const series = this.gcPauses.series({ kind }, (fresh) => {
          traffic.gcPauses.add(fresh);
        });
        series.record(duration, true);
      }
    });
    this.cpuCounter();
    this.memoryGauges();
    this.eventLoopGauges();
    this.otherGauges();
  }

  onModuleInit(): void {
    this.eventLoop.start();
    this.gcObserver.observe({ entryTypes: ['gc'] });
  }

  onModuleDestroy(): void {
    this.eventLoop.stop();
    this.gcObserver.disconnect();
  }

  stats(): ProcessStats {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    return {
      uptimeSeconds: process.uptime(),
      residentBytes: rss,
      heapUsedBytes: heapUsed,
      heapTotalBytes: heapTotal,
      heapLimitBytes: getHeapStatistics().heap_size_limit,
      externalBytes: external,
      openFileDescriptors: orNull(countFileDescriptors),
      maxFileDescriptors: this.maxFileDescriptors,
      eventLoop: this.eventLoop.stats(),
      version: this.version,
      node: process.version,
    };
  }

  private cpuCounter(): void {
    const before = { user: 0, system: 0 };
    new Counter({
      name: 'process_cpu_seconds_total',
      help: 'Processor time of the process, by mode: user, system',
      labelNames: ['mode'],
      registers: [this.metrics.registry],
      collect() {
        const { user, system } = process.cpuUsage();
        this.inc({ mode: 'user' }, (user - before.user) / 1e6);
        this.inc({ mode: 'system' }, (system - before.system) / 1e6);
        Object.assign(before, { user, system });
      },
    });
  }

  private memoryGauges(): void {
    this.gauge(
      'process_resident_memory_bytes',
      'Memory of the process',
      ({ residentBytes }) => residentBytes,
    );
    this.gauge('nodejs_heap_size_used_bytes', 'Heap in use', ({ heapUsedBytes }) => heapUsedBytes);
    this.gauge(
      'nodejs_heap_size_total_bytes',
      'Heap that is reserved',
      ({ heapTotalBytes }) => heapTotalBytes,
    );
    this.gauge('nodejs_heap_size_limit_bytes', 'Largest heap', ({ heapLimitBytes }) => heapLimitBytes);
    this.gauge(
      'nodejs_external_memory_bytes',
      'Memory beside the heap',
      ({ externalBytes }) => externalBytes,
    );
  }

  private eventLoopGauges(): void {
    const lag = (name: string, help: string, read: (stats: EventLoopStats) => number): void => {
      this.gauge(
        name,
        `Lag of the event loop over the last 10 s: ${help}`,
        ({ eventLoop }) => read(eventLoop) / 1000,
      );
    };
    lag('nodejs_eventloop_lag_mean_seconds', 'mean', ({ lagMeanMs }) => lagMeanMs);
    lag('nodejs_eventloop_lag_p50_seconds', 'median', ({ lagP50Ms }) => lagP50Ms);
    lag('nodejs_eventloop_lag_p99_seconds', '99th percentile', ({ lagP99Ms }) => lagP99Ms);
    lag('nodejs_eventloop_lag_max_seconds', 'longest', ({ lagMaxMs }) => lagMaxMs);
    this.gauge(
      'nodejs_eventloop_utilization_ratio',
      'Share of the last 10 s in which the event loop was at work',
      ({ eventLoop }) => eventLoop.utilization,
    );
  }

  private otherGauges(): void {
    this.gauge('process_open_fds', 'Open file descriptors', ({ openFileDescriptors }) => openFileDescriptors);
    this.gauge('process_max_fds', 'Most file descriptors', ({ maxFileDescriptors }) => maxFileDescriptors);
    this.gauge(
      'process_start_time_seconds',
      'When the process began, since 1970',
      () => performance.timeOrigin / 1000,
    );
    this.gauge(
      `${METRIC_PREFIX}process_uptime_seconds`,
      'How long the process has run',
      ({ uptimeSeconds }) => uptimeSeconds,
    );
    new Gauge({
      name: `${METRIC_PREFIX}build_info`,
      help: 'Always 1; its labels tell the version of this service and of Node',
      labelNames: ['version', 'node'],
      registers: [this.metrics.registry],
    }).set({ version: this.version, node: process.version }, 1);
  }

  /** A gauge that is absent while the system does not tell. */
  private gauge(name: string, help: string, read: (stats: ProcessStats) => number | null): void {
    const stats = (): ProcessStats => this.snapshot();
    new Gauge({
      name,
      help,
      registers: [this.metrics.registry],
      collect() {
        const value = read(stats());
        if (value === null) this.remove();
        else this.set(value);
      },
    });
  }

  /** One reading for all gauges of a scrape, which are collected in the same turn. */
  private snapshot(): ProcessStats {
    if (!this.reading) {
      this.reading = this.stats();
      setImmediate(() => {
        this.reading = undefined;
      });
    }
    return this.reading;
  }
}

const countFileDescriptors = (): number => readdirSync('/proc/self/fd').length;

function readMaxFileDescriptors(): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  if (soft === undefined) throw new Error('no limit of open files is told');
  return Number(soft);
}
