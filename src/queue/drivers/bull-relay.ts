import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../../logging/index.js';
import { JobRepository } from '../job.repository.js';
import type { JobRecord } from '../job.schema.js';
import { BULL_ATTEMPTS, BullQueues } from './bull-queues.js';

/** Interval of the sweep for jobs that are missing in Redis. */
const SWEEP_MS = 5000;

/** Maximum number of jobs per queue that one sweep adds, and maximum number whose state it checks. */
const SWEEP_LIMIT = 500;

/**
 * A job this long overdue is checked, because Redis may have lost it. Longer than any claim that is not
 * renewed.
 */
const OVERDUE_MS = 60_000;

/**
 * Adds stored jobs to BullMQ. Each job is added after its commit. A sweep adds the jobs that were missed
 * because Redis was unavailable or the process crashed, and those that Redis has lost. Adding a job twice has
 * no effect.
 */
@Injectable()
export class BullRelay {
  private readonly handing = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> | undefined;
  private stopped = false;
  private queues: readonly string[] = [];

  constructor(
    private readonly bull: BullQueues,
    private readonly jobs: JobRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Adds one job in the background. If that fails, the sweep adds it later. */
  hand(job: JobRecord): void {
    if (this.stopped || !this.bull.isReady) return;
    const handing = this.add(job)
      .catch((error: unknown) => {
        this.logger.debug(
          { err: error, queue: job.queue },
          'could not add a job to Redis; the sweep will retry',
        );
      })
      .finally(() => {
        this.handing.delete(handing);
      });
    this.handing.add(handing);
  }

  /** Starts sweeping these queues, at intervals and whenever Redis becomes available again. */
  start(queues: readonly string[]): void {
    this.queues = queues;
    this.timer = setInterval(() => {
      this.sweepSoon();
    }, SWEEP_MS);
    this.timer.unref();
    this.bull.onReady(() => {
      this.sweepSoon();
    });
    this.sweepSoon();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await Promise.all([...this.handing, this.sweeping]);
  }

  private sweepSoon(): void {
    if (this.stopped || !this.bull.isReady) return;
    this.sweeping ??= this.sweep()
      .catch((error: unknown) => {
        this.logger.warn({ err: error }, 'the sweep of jobs failed; the next sweep retries');
      })
      .finally(() => {
        this.sweeping = undefined;
      });
  }

  private async sweep(): Promise<void> {
    for (const queue of this.queues) {
      for (const job of await this.jobs.unhanded(queue, SWEEP_LIMIT)) {
        if (this.stopped) return;
        await this.add(job);
      }
      const late = await this.jobs.overdue(queue, new Date(Date.now() - OVERDUE_MS), SWEEP_LIMIT);
      for (const job of late) {
        if (this.stopped) return;
        await this.revive(job);
      }
    }
  }

  private async add(job: JobRecord): Promise<void> {
    const id = job._id.toHexString();
    const queue = this.bull.queue(job.queue);
    // A job that an operator retries may still be among BullMQ's failed jobs.
    const present = await queue.getJob(id);
    if (present && (await present.isFailed())) await present.remove();
    // An operator has promoted the job: its record is already waiting.
    else if (present && job.state === 'waiting' && (await present.isDelayed())) await present.promote();
    await queue.add(
      job.queue,
      { tenantId: job.tenantId },
      {
        jobId: id,
        attempts: BULL_ATTEMPTS,
        backoff: { type: 'custom' },
        ...(job.priority > 0 && { priority: job.priority }),
        delay: Math.max(0, job.dueAt.getTime() - Date.now()),
      },
    );
    await this.jobs.markHanded(job);
  }

  private async revive(job: JobRecord): Promise<void> {
    const id = job._id.toHexString();
    const state = await this.bull.queue(job.queue).getJobState(id);
    if (state !== 'unknown' && state !== 'completed' && state !== 'failed') return;
    if (state !== 'unknown') await this.bull.queue(job.queue).remove(id);
    this.logger.warn({ queue: job.queue, jobId: id, state }, 'Redis had lost a job; adding it again');
    await this.add(job);
  }
}
