import { Inject, Injectable } from '@nestjs/common';
import { statfs } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import { CacheService } from '../../cache/index.js';
import { withTimeout } from '../../common/index.js';
import {
  MONITORING_SETTINGS,
  type MonitoringSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
} from '../../config/index.js';
import { DatabaseService } from '../../database/index.js';
import { RedisService } from '../../redis/index.js';
import { COMMAND_PREFIX, PING_OPERATION } from '../database/database-timings.js';
import { HealthService } from '../health/health.service.js';
import { ProcessMetrics } from '../process/process-metrics.js';
import type { TimingSummary } from '../timings/durations.js';
import { PerformanceMonitor } from '../timings/performance-monitor.js';
import type { OperationStats } from '../timings/timings-table.js';
import { SlowOperations } from '../timings/slow-operations.js';
import { type Traffic, TrafficMeter } from '../timings/traffic-meter.js';
import type {
  CacheSection,
  DatabaseSection,
  DiskSection,
  HealthSection,
  MonitoringSnapshot,
  OperationFigures,
  ProcessSection,
  RequestsSection,
  TrafficFigures,
} from './monitoring-snapshot.js';
import { RatioWindow } from './ratio-window.js';
import { SnapshotSources, type SourcedSections } from './snapshot-sources.js';

/** All of a snapshot but what is made of it. */
export type Measured = Omit<MonitoringSnapshot, 'status' | 'alerts'>;

/** Routes and commands in a snapshot. */
const TOP = 20;
/** Longest wait for a section, milliseconds. */
const SECTION_TIMEOUT_MS = 1500;
const CACHE_WINDOW_MS = 60_000;
/** Names of requests in PerformanceMonitor begin with their method. */
const REQUEST = /^[A-Z]+ /;

const figures = (stats: TimingSummary): OperationFigures => ({
  count: stats.count,
  errorRatio: stats.errorRate,
  p50Ms: stats.p50Ms,
  p95Ms: stats.p95Ms,
  p99Ms: stats.p99Ms,
});

const traffic = (stats: Traffic): TrafficFigures => ({
  ...figures(stats),
  ratePerSecond: stats.ratePerSecond,
});

const byCount = (a: { count: number }, b: { count: number }): number => b.count - a.count;

/** Null when it fails or takes too long: the other sections are told all the same. */
async function orNull<T>(read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await withTimeout(read(), SECTION_TIMEOUT_MS, () => null);
  } catch {
    return null;
  }
}

/** The limit of the container when there is one below the memory of the machine. */
function memoryLimitBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Reads what the monitors of this process and the other modules know at the moment. */
@Injectable()
export class SnapshotReader {
  private readonly cacheWindow = new RatioWindow(CACHE_WINDOW_MS);
  private cpuBefore = { atMs: performance.now(), usage: process.cpuUsage() };

  constructor(
    private readonly monitor: PerformanceMonitor,
    private readonly traffic: TrafficMeter,
    private readonly slow: SlowOperations,
    private readonly process: ProcessMetrics,
    private readonly health: HealthService,
    private readonly database: DatabaseService,
    private readonly cache: CacheService,
    private readonly redis: RedisService,
    private readonly sources: SnapshotSources,
    @Inject(SERVICE_SETTINGS) private readonly service: ServiceSettings,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {
    this.cacheWindow.add({ at: performance.now(), hits: 0, total: 0 });
  }

  /** Never rejects; takes a few milliseconds, or as long as the slowest check when something does not answer. */
  async read(): Promise<Measured> {
    const [health, disk, sessions, queues, transcripts] = await Promise.all([
      this.readHealth(),
      orNull(() => this.readDisk()),
      this.section('sessions'),
      this.section('queues'),
      this.section('transcripts'),
    ]);
    const own = this.process.stats();
    const operations = this.monitor.getAllStats();
    return {
      at: new Date().toISOString(),
      service: {
        name: 'colloquy',
        version: own.version,
        instance: `${hostname()}:${process.pid}`,
        node: own.node,
        uptimeSeconds: own.uptimeSeconds,
        monitoring: this.settings.MONITORING,
      },
      requests: this.readRequests(operations),
      database: this.readDatabase(operations),
      process: this.readProcess(own),
      cache: this.readCache(),
      sessions,
      queues,
      transcripts,
      disk,
      redis: { enabled: this.redis.enabled, up: this.redis.available },
      health,
      slow: this.slow.latest(),
    };
  }

  private section<Name extends keyof SourcedSections>(name: Name): Promise<SourcedSections[Name] | null> {
    return orNull(() => this.sources.read(name));
  }

  private readRequests(operations: readonly OperationStats[]): RequestsSection {
    const routes = operations
      .filter(({ operation }) => REQUEST.test(operation))
      .sort(byCount)
      .slice(0, TOP)
      .map((stats) => ({ route: stats.operation, ...figures(stats) }));
    return { ...traffic(this.traffic.requests.read()), routes };
  }

  private readDatabase(operations: readonly OperationStats[]): DatabaseSection {
    const { kind, state, pool } = this.database.stats();
    const commands = operations
      .filter(({ operation }) => operation.startsWith(COMMAND_PREFIX) && operation !== PING_OPERATION)
      .sort(byCount)
      .slice(0, TOP)
      .map((stats) => ({ command: stats.operation.slice(COMMAND_PREFIX.length), ...figures(stats) }));
    return {
      kind,
      connected: state === 'connected',
      pool: { open: pool.open, inUse: pool.inUse, waiting: pool.waiting, max: pool.maxSize },
      total: traffic(this.traffic.commands.read()),
      commands,
      pingMs: operations.find(({ operation }) => operation === PING_OPERATION)?.p50Ms ?? null,
    };
  }

  private readProcess(own: ReturnType<ProcessMetrics['stats']>): ProcessSection {
    return {
      rssBytes: own.residentBytes,
      memoryLimitBytes: memoryLimitBytes(),
      heapUsedBytes: own.heapUsedBytes,
      heapLimitBytes: own.heapLimitBytes,
      eventLoopLagP99Ms: own.eventLoop.lagP99Ms,
      eventLoopUtilisation: own.eventLoop.utilization,
      gcPauseP99Ms: this.traffic.gcPauses.read().p99Ms,
      cpuCores: this.readCpu(),
      openFiles: own.openFileDescriptors,
      maxOpenFiles: own.maxFileDescriptors,
    };
  }

  private readCpu(): number {
    const { atMs, usage } = this.cpuBefore;
    const now = { atMs: performance.now(), usage: process.cpuUsage() };
    this.cpuBefore = now;
    const usedMs = (now.usage.user - usage.user + now.usage.system - usage.system) / 1000;
    return now.atMs > atMs ? usedMs / (now.atMs - atMs) : 0;
  }

  private readCache(): CacheSection {
    const { l1, families } = this.cache.stats();
    const all = Object.values(families);
    const hits = all.reduce((sum, family) => sum + family.hits, 0);
    const total = all.reduce((sum, family) => sum + family.misses, hits);
    const window = this.cacheWindow.add({ at: performance.now(), hits, total });
    return {
      hitRatio: window.ratio,
      lookups: window.total,
      lookupsPerSecond: window.perSecond,
      entries: l1.entries,
      memoryBytes: l1.bytes,
      maxMemoryBytes: l1.maxBytes,
      evictions: l1.evictions,
    };
  }

  private async readDisk(): Promise<DiskSection> {
    const { bavail, blocks, bsize } = await statfs(this.service.DATA_DIR);
    const freeBytes = bavail * bsize;
    const totalBytes = blocks * bsize;
    return { freeBytes, totalBytes, freeRatio: totalBytes > 0 ? freeBytes / totalBytes : 0 };
  }

  private async readHealth(): Promise<HealthSection> {
    const report = await this.health.report('ready');
    const checks = Object.entries(report).map(([name, { status, reason, durationMs }]) => [
      name,
      { status, ...(reason !== undefined && { reason }), durationMs },
    ]);
    return {
      ready: Object.values(report).every(({ status }) => status !== 'down'),
      checks: Object.fromEntries(checks) as HealthSection['checks'],
    };
  }
}
