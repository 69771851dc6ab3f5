import { Inject, Injectable } from '@nestjs/common';
import { Gauge, Histogram } from 'prom-client';
import { LOGGER, type Logger } from '../logging/index.js';
import { METRIC_PREFIX, Metrics, type QueueFigures, SnapshotSources } from '../monitoring/index.js';
import { RedisService } from '../redis/index.js';
import { JobRepository, type QueueCounts } from './job.repository.js';
import { QueueRegistry } from './queue-registry.js';

/** The database is asked for the state of queues at most this often, however many scrape, milliseconds. */
const LOOK_MS = 5000;

/** Seconds: from quick steps to sitemaps of big shops. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800] as const;

const PREFIX = `${METRIC_PREFIX}queue_`;

interface QueueState {
  queue: string;
  counts: QueueCounts;
  oldestWaiting: Date | null;
  unhanded: number;
}

/** 0 when none waits. */
const waitingMs = ({ oldestWaiting }: QueueState): number =>
  oldestWaiting ? Math.max(0, Date.now() - oldestWaiting.getTime()) : 0;

const figuresOf = (state: QueueState): QueueFigures => {
  const { waiting, active, delayed, failed } = state.counts;
  return { name: state.queue, waiting, active, delayed, failed, oldestWaitingMs: waitingMs(state) };
};

/** Tells Prometheus and snapshots of queues: what waits, all processes together, and what this process has worked on. */
@Injectable()
export class QueueMetrics {
  private readonly waits: Histogram<'queue'>;
  private readonly tries: Histogram<'queue' | 'outcome'>;
  private look: { at: number; states: Promise<QueueState[] | null> } | undefined;

  constructor(
    private readonly jobs: JobRepository,
    private readonly registry: QueueRegistry,
    private readonly metrics: Metrics,
    sources: SnapshotSources,
    private readonly redis: RedisService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.waits = new Histogram({
      name: `${PREFIX}job_wait_seconds`,
      help: 'From when a job was due to when this process began it',
      labelNames: ['queue'],
      buckets: [...BUCKETS],
      registers: [metrics.registry],
    });
    this.tries = new Histogram({
      name: `${PREFIX}job_duration_seconds`,
      help: 'Tries of jobs in this process, by outcome: completed, failed (for good), retry, returned (at shutdown), lost (to another worker)',
      labelNames: ['queue', 'outcome'],
      buckets: [...BUCKETS],
      registers: [metrics.registry],
    });
    this.collected('jobs', 'Jobs by state, all processes together', ['queue', 'state'], (gauge, state) => {
      for (const [name, count] of Object.entries<number>({ ...state.counts }))
        gauge.set({ queue: state.queue, state: name }, count);
    });
    this.gauge(
      'oldest_waiting_seconds',
      'How long the job that waits longest has done so',
      (state) => waitingMs(state) / 1000,
    );
    if (redis.enabled)
      this.gauge('jobs_unhanded', 'Unfinished jobs that Redis has not been given', (state) => state.unhanded);
    sources.register('queues', async () => (await this.states())?.map(figuresOf) ?? null);
  }

  /** A try begins, so long after the job was due. */
  begun(queue: string, waitedMs: number): void {
    this.waits.observe({ queue }, Math.max(0, waitedMs) / 1000);
  }

  ended(queue: string, { outcome, durationMs }: { outcome: string; durationMs: number }): void {
    this.tries.observe({ queue, outcome }, durationMs / 1000);
  }

  /** A gauge of one number for each queue. */
  private gauge(name: string, help: string, read: (state: QueueState) => number): void {
    this.collected(name, help, ['queue'], (gauge, state) => {
      gauge.set({ queue: state.queue }, read(state));
    });
  }

  private collected<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    set: (gauge: Gauge<Label>, state: QueueState) => void,
  ): void {
    const states = (): Promise<QueueState[] | null> => this.states();
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames,
      registers: [this.metrics.registry],
      async collect() {
        // What was true earlier is not told as if it were now.
        this.reset();
        for (const state of (await states()) ?? []) set(this, state);
      },
    });
  }

  /** Null while the database cannot be asked: the scrape tells all that is known without it. */
  private states(): Promise<QueueState[] | null> {
    const now = performance.now();
    if (!this.look || now - this.look.at > LOOK_MS)
      this.look = {
        at: now,
        states: this.read().catch((error: unknown) => {
          this.logger.warn({ err: error }, 'the state of queues could not be read for their metrics');
          return null;
        }),
      };
    return this.look.states;
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
