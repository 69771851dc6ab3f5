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

/** The state of the queues is read from the database at most this often, however many ask, milliseconds. */
const READ_EVERY_MS = 5000;

/** Seconds: from quick steps to sitemaps of big shops. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800] as const;

/** One queue in the snapshot, all processes together. */
export interface QueueFigures {
  name: string;
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
  /** How long the oldest waiting job has waited; 0 when none waits. */
  oldestWaitingMs: number;
}

interface QueueState {
  queue: string;
  counts: QueueCounts;
  oldestWaiting: Date | null;
  unhanded: number;
}

/** 0 when none waits. */
const waitingMs = (oldest: Date | null): number => (oldest ? Math.max(0, Date.now() - oldest.getTime()) : 0);

const figuresOf = ({ queue, counts, oldestWaiting }: QueueState): QueueFigures => {
  const { waiting, active, delayed, failed } = counts;
  return { name: queue, waiting, active, delayed, failed, oldestWaitingMs: waitingMs(oldestWaiting) };
};

/** What this module contributes to monitoring: the queues of all processes, and the jobs that this process runs. */
@Injectable()
export class QueueMonitoring {
  private readonly waits = histogram({
    name: 'colloquy_queue_job_wait_seconds',
    help: 'From when a job was due to when this process started it',
    labelNames: ['queue'],
    buckets: BUCKETS,
  });
  private readonly tries = histogram({
    name: 'colloquy_queue_job_duration_seconds',
    help: 'Tries of jobs in this process, by outcome: completed, failed (for good), retry, returned (at shutdown), lost (to another worker)',
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

  /** To be called when a try starts, so long after the job was due. */
  begun(queue: string, waitedMs: number): void {
    this.waits.observe({ queue }, Math.max(0, waitedMs) / 1000);
  }

  ended(queue: string, { outcome, durationMs }: { outcome: string; durationMs: number }): void {
    this.tries.observe({ queue, outcome }, durationMs / 1000);
  }

  private gauges(): ExportedMetric[] {
    const jobs = gauge({
      name: 'colloquy_queue_jobs',
      help: 'Jobs by state, all processes together',
      labelNames: ['queue', 'state'],
      read: async (set) => {
        for (const { queue, counts } of (await this.states()) ?? [])
          for (const [state, count] of Object.entries<number>({ ...counts })) set(count, { queue, state });
      },
    });
    const oldest = this.gaugeOfQueues(
      'colloquy_queue_oldest_waiting_seconds',
      'How long the job that waits longest has done so',
      ({ oldestWaiting }) => waitingMs(oldestWaiting) / 1000,
    );
    if (!this.redis.enabled) return [jobs, oldest];
    const unhanded = this.gaugeOfQueues(
      'colloquy_queue_jobs_unhanded',
      'Unfinished jobs that Redis has not been given',
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
   * Jobs that wait for too long make the process degraded and never down: all processes see the same queues, so that a 503 would take every
   * one of them out of service at once, and with them the API, which needs no job.
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

  /** Null while the database cannot be read: what is known without it is reported nevertheless. */
  private states(): Promise<QueueState[] | null> {
    const now = performance.now();
    if (!this.lastRead || now - this.lastRead.at > READ_EVERY_MS)
      this.lastRead = {
        at: now,
        states: this.read().catch((error: unknown) => {
          this.logger.warn({ err: error }, 'the state of the queues could not be read for monitoring');
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
