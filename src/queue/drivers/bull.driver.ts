import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  DelayedError,
  type Job as BullJob,
  UnrecoverableError as BullUnrecoverableError,
  Worker,
} from 'bullmq';
import { withTimeout } from '../../common/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import { FairShare } from '../fair-share.js';
import { JobRunner, LEASE_MS } from '../job-runner.js';
import { JobRepository } from '../job.repository.js';
import type { JobRecord } from '../job.schema.js';
import type { RegisteredQueue } from '../queue-registry.js';
import { BULL_ATTEMPTS, type BullData, BullQueues } from './bull-queues.js';
import { BullRelay } from './bull-relay.js';
import type { QueueDriver } from './queue-driver.js';

/**
 * Interval of the check for expired locks: the maximum time that a killed worker's job waits beyond its
 * lease.
 */
const STALLED_MS = 5000;

/** Delay before a job released at shutdown may run again. */
const HAND_BACK_MS = 500;

/**
 * How long a job is put back when its tenant has its share of the places and another tenant waits,
 * milliseconds.
 */
const YIELD_MS = 250;

/** Time to report released jobs to Redis after the shutdown's grace period. */
const CLOSE_MS = 2000;

/**
 * The reason that BullMQ stores with a failed attempt. The error itself may quote what the job is about, which
 * must not outlive the job's record.
 */
const SEE_RECORD = 'The attempt failed; the error is in the record of the job.';

/**
 * Runs jobs with BullMQ. Redis keeps their order, limits and delays, and wakes the workers of all processes.
 * It stores only job ids; payloads and results are in the database.
 */
@Injectable()
export class BullDriver implements QueueDriver {
  readonly kind = 'redis';
  private readonly workers: Worker<BullData>[] = [];
  private readonly running = new Set<Promise<void>>();
  private readonly shutdown = new AbortController();
  private readonly self = randomUUID();
  private claims = 0;
  /** When failed jobs are due again; read by BullMQ's backoff strategy. */
  private readonly dueAt = new Map<string, Date>();

  constructor(
    private readonly bull: BullQueues,
    private readonly relay: BullRelay,
    private readonly jobs: JobRepository,
    private readonly runner: JobRunner,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  start(queues: readonly RegisteredQueue[]): Promise<void> {
    for (const queue of queues) this.workers.push(this.workerOf(queue));
    this.relay.start(queues.map(({ definition }) => definition.name));
    return Promise.resolve();
  }

  stored(job: JobRecord): Promise<void> {
    this.relay.hand(job);
    return Promise.resolve();
  }

  async forget(jobs: readonly Pick<JobRecord, '_id' | 'queue'>[]): Promise<void> {
    if (!this.bull.isReady) return;
    // A job that is running cannot be removed.
    await Promise.allSettled(jobs.map(({ _id, queue }) => this.bull.queue(queue).remove(_id.toHexString())));
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.pause(true)));
    await withTimeout(Promise.all(this.running), graceMs, () => undefined);
    this.shutdown.abort(new Error('the worker is shutting down'));
    await withTimeout(Promise.allSettled(this.running), CLOSE_MS, () => undefined);
    // All running jobs have ended. Closing without force would only wait for the next poll of an empty queue.
    await Promise.allSettled(this.workers.map((worker) => worker.close(true)));
    await this.relay.stop();
    await this.bull.close();
  }

  private workerOf(queue: RegisteredQueue): Worker<BullData> {
    const fair = new FairShare(queue.definition, this.jobs);
    const { name, concurrency, rateLimit, keep } = queue.definition;
    const worker = new Worker<BullData>(
      name,
      (job, token) => this.tracked(this.inTurn(fair, queue, job, token ?? '')),
      {
        ...this.bull.options(),
        connection: this.bull.connect('worker', { maxRetriesPerRequest: null }),
        concurrency,
        lockDuration: LEASE_MS,
        stalledInterval: STALLED_MS,
        // The job's record decides how many worker crashes it survives, not BullMQ.
        maxStalledCount: BULL_ATTEMPTS,
        removeOnComplete: { count: keep.completed },
        removeOnFail: { count: keep.failed },
        ...(rateLimit && { limiter: { max: rateLimit.max, duration: rateLimit.perMs } }),
        settings: { backoffStrategy: (_attempts, _type, _error, job) => this.backoffOf(job?.id) },
      },
    );
    worker.on('error', (error) => {
      this.logger.debug({ err: error, queue: name }, 'BullMQ worker error');
    });
    return worker;
  }

  private tracked<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    this.running.add(settled);
    void settled.then(() => this.running.delete(settled));
    return work;
  }

  private backoffOf(id: string | undefined): number {
    const due = id === undefined ? undefined : this.dueAt.get(id);
    if (id !== undefined) this.dueAt.delete(id);
    return Math.max(0, (due?.getTime() ?? 0) - Date.now());
  }

  /** BullMQ hands out jobs in their order, whichever tenant they belong to. */
  private async inTurn(
    fair: FairShare,
    queue: RegisteredQueue,
    job: BullJob<BullData>,
    token: string,
  ): Promise<unknown> {
    const { tenantId } = job.data;
    fair.begun(tenantId);
    try {
      if (await fair.mustYield(tenantId)) return await this.putBack(job, token, YIELD_MS);
      return await this.run(queue, job, token);
    } finally {
      fair.ended(tenantId);
    }
  }

  private async run(queue: RegisteredQueue, job: BullJob<BullData>, token: string): Promise<unknown> {
    if (this.shutdown.signal.aborted) return this.handBack(job, token);
    const id = job.id ?? '';
    const claim = `${this.self}:${++this.claims}`;
    const now = new Date();
    const record = await this.jobs.claimOne(
      job.data.tenantId,
      id,
      claim,
      now,
      new Date(now.getTime() + LEASE_MS),
    );
    // The job has already finished and BullMQ was not notified, or an operator has removed it.
    if (!record) return 'nothing left to do';
    const report = await this.runner.run(queue, { record, claim }, this.shutdown.signal);
    if (report.outcome === 'failed') throw new BullUnrecoverableError(SEE_RECORD);
    if (report.outcome === 'retry') {
      if (report.dueAt) this.dueAt.set(id, report.dueAt);
      throw new Error(SEE_RECORD);
    }
    return report.outcome === 'returned' ? this.handBack(job, token) : report.outcome;
  }

  /**
   * Returns the job to the queue for another worker. The delay keeps this worker from receiving it again
   * while it shuts down.
   */
  private handBack(job: BullJob<BullData>, token: string): Promise<never> {
    return this.putBack(job, token, HAND_BACK_MS);
  }

  private async putBack(job: BullJob<BullData>, token: string, delayMs: number): Promise<never> {
    await job.moveToDelayed(Date.now() + delayMs, token);
    throw new DelayedError();
  }
}
