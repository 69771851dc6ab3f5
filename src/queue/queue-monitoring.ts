import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import {
  type ExportedMetric,
  gauge,
  type HealthFinding,
  histogram,
  type MeasuredValue,
  Monitoring,
} from '../monitoring/index.js';
import { RedisService } from '../redis/index.js';
import { JobRepository, type QueueCounts } from './job.repository.js';
import { QueueRegistry } from './queue-registry.js';

/** Minimum time between two reads of the queue state from the database, milliseconds. */
const READ_EVERY_MS = 5000;

/** Seconds, from quick jobs to sitemaps of large shops. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800] as const;

/** Figures of one queue in the snapshot, for all processes. */
export interface QueueFigures {
  name: string;
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
  /** How long the oldest waiting job has been waiting; 0 if none is waiting. */
  oldestWaitingMs: number;
}

interface QueueState {
  queue: string;
  counts: QueueCounts;
  oldestWaiting: Date | null;
  unhanded: number;
}

/** 0 if no job is waiting. */
const waitingMs = (oldest: Date | null): number => (oldest ? Math.max(0, Date.now() - oldest.getTime()) : 0);

const figuresOf = ({ queue, counts, oldestWaiting }: QueueState): QueueFigures => {
  const { waiting, active, delayed, failed } = counts;
  return { name: queue, waiting, active, delayed, failed, oldestWaitingMs: waitingMs(oldestWaiting) };
};

/**
 * Metrics, health check and snapshot section of queues: the state of all queues, and the jobs that this
 * process runs.
 */
@Injectable()
export class QueueMonitoring {
  private readonly waits = histogram({
    name: 'colloquy_queue_job_wait_seconds',
    help: 'Time from when a job was due until this process started it',
    labelNames: ['queue'],
    buckets: BUCKETS,
  });
  private readonly tries = histogram({
    name: 'colloquy_queue_job_duration_seconds',
    help: 'Attempts of jobs in this process, by outcome: completed, failed (permanently), retry, returned (to the queue, at shutdown), lost (to another worker)',
    labelNames: ['queue', 'outcome'],
    buckets: BUCKETS,
  });
  private lastRead: { at: number; states: Promise<QueueState[] | null> } | undefined;

  constructor(
    private readonly jobs: JobRepository,
    private readonly registry: QueueRegistry,
    private readonly redis: RedisService,
    monitoring: Monitoring,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    monitoring.contribute<QueueFigures[]>({
      metrics: [this.waits, this.tries, ...this.gauges()],
      health: [{ name: 'queues', kind: 'degrading', run: () => this.check() }],
      snapshot: {
        name: 'queues',
        read: async () => (await this.states())?.map(figuresOf) ?? null,
        alerts: (queues) => this.alerts(queues ?? []),
      },
    });
  }

  /** Must be called when an attempt of a job starts. `waitedMs`: how long the job was overdue. */
  begun(queue: string, waitedMs: number): void {
    this.waits.observe({ queue }, Math.max(0, waitedMs) / 1000);
  }

  ended(queue: string, { outcome, durationMs }: { outcome: string; durationMs: number }): void {
    this.tries.observe({ queue, outcome }, durationMs / 1000);
  }

  private gauges(): ExportedMetric[] {
    const jobs = gauge({
      name: 'colloquy_queue_jobs',
      help: 'Jobs by state, of all processes',
      labelNames: ['queue', 'state'],
      read: async (set) => {
        for (const { queue, counts } of (await this.states()) ?? [])
          for (const [state, count] of Object.entries<number>({ ...counts })) set(count, { queue, state });
      },
    });
    const oldest = this.gaugeOfQueues(
      'colloquy_queue_oldest_waiting_seconds',
      'How long the oldest waiting job has been waiting',
      ({ oldestWaiting }) => waitingMs(oldestWaiting) / 1000,
    );
    if (!this.redis.enabled) return [jobs, oldest];
    const unhanded = this.gaugeOfQueues(
      'colloquy_queue_jobs_unhanded',
      'Unfinished jobs that have not been added to Redis yet',
      (state) => state.unhanded,
    );
    return [jobs, oldest, unhanded];
  }

  private gaugeOfQueues(name: string, help: string, read: (state: QueueState) => number): ExportedMetric {
    return gauge({
      name,
      help,
      labelNames: ['queue'],
      read: async (set) => {
        for (const state of (await this.states()) ?? []) set(read(state), { queue: state.queue });
      },
    });
  }

  private alerts(queues: readonly QueueFigures[]): MeasuredValue[] {
    return queues.map(({ name, oldestWaitingMs }) => ({
      name: `backlog:${name}`,
      title: `The longest wait in queue "${name}"`,
      unit: 'ms',
      levels: this.settings.ALERT_BACKLOG_AGE_MS,
      value: oldestWaitingMs,
    }));
  }

  /**
   * Jobs that wait too long make the process degraded, never down. All processes see the same queues, so a
   * 503 would take all of them out of service at once, including the API, which does not depend on jobs.
   */
  private async check(): Promise<HealthFinding> {
    let oldest = { queue: '', ageMs: 0 };
    for (const { name } of this.registry.all()) {
      const ageMs = waitingMs(await this.jobs.oldestWaiting(name));
      if (ageMs > oldest.ageMs) oldest = { queue: name, ageMs };
    }
    const details = { oldestMs: oldest.ageMs };
    if (oldest.ageMs <= this.settings.HEALTH_BACKLOG_MAX_AGE_MS) return { status: 'up', details };
    return {
      status: 'degraded',
      reason: `a job of queue "${oldest.queue}" has been waiting for ${Math.round(oldest.ageMs / 1000)} s`,
      details,
    };
  }

  /** Resolves to null if the database cannot be read, so that other monitoring data is still reported. */
  private states(): Promise<QueueState[] | null> {
    const now = performance.now();
    if (!this.lastRead || now - this.lastRead.at > READ_EVERY_MS)
      this.lastRead = {
        at: now,
        states: this.read().catch((error: unknown) => {
          this.logger.warn({ err: error }, 'could not read the state of the queues for monitoring');
          return null;
        }),
      };
    return this.lastRead.states;
  }

  private async read(): Promise<QueueState[]> {
    const states: QueueState[] = [];
    for (const { name } of this.registry.all())
      states.push({
        queue: name,
        counts: await this.jobs.counts(name),
        oldestWaiting: await this.jobs.oldestWaiting(name),
        unhanded: this.redis.enabled ? await this.jobs.countUnhanded(name) : 0,
      });
    return states;
  }
}
