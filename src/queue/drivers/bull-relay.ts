import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../../logging/index.js';
import { JobRepository } from '../job.repository.js';
import type { JobRecord } from '../job.schema.js';
import { BULL_ATTEMPTS, BullQueues } from './bull-queues.js';

/** How often it is looked for jobs that Redis does not know. */
const SWEEP_MS = 5000;

/** Jobs that one sweep of a queue hands over, and asks Redis about. */
const SWEEP_LIMIT = 500;

/** A job this late is asked for: Redis may have lost it. It is later than any claim that is not prolonged. */
const OVERDUE_MS = 60_000;

/**
 * Hands stored jobs to BullMQ: each after its commit, and by a sweep those that were not handed over, since Redis was away or the process
 * died, and those that Redis has lost. Handing a job over twice changes nothing.
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

  /** Hands one job over in the background; what fails is left to the sweep. */
  hand(job: JobRecord): void {
    if (this.stopped || !this.bull.isReady) return;
    const handing = this.add(job)
      .catch((error: unknown) => {
        this.logger.debug(
          { err: error, queue: job.queue },
          'a job was not handed to Redis; the sweep does it',
        );
      })
      .finally(() => {
        this.handing.delete(handing);
      });
    this.handing.add(handing);
  }

  /** Begins to sweep these queues, also each time that Redis is back. */
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
        this.logger.warn({ err: error }, 'the sweep of jobs failed; the next one tries again');
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
    // A job that is tried again by hand is still among BullMQ's failed ones.
    const present = await queue.getJob(id);
    if (present && (await present.isFailed())) await present.remove();
    // Brought forward by hand: its record waits already.
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
    this.logger.warn({ queue: job.queue, jobId: id, state }, 'Redis had lost a job; it is handed over again');
    await this.add(job);
  }
}
