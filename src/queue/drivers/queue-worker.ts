import { withTimeout } from '../../common/index.js';
import type { Logger } from '../../logging/index.js';
import { type ClaimedJob, type JobRunner, LEASE_MS } from '../job-runner.js';
import { FairShare } from '../fair-share.js';
import type { JobRepository } from '../job.repository.js';
import type { RegisteredQueue } from '../queue-registry.js';
import type { RateLimitRepository } from '../rate-limit.repository.js';

export interface WorkerServices {
  jobs: JobRepository;
  runner: JobRunner;
  limits: RateLimitRepository;
  logger: Logger;
}

/** Maximum time between polls: jobs stored by another process are found after this time at the latest. */
const MAX_IDLE_MS = 2000;

/** Interval of the check for delayed jobs that are due and expired claims while jobs keep arriving. */
const RELEASE_MS = 500;

/** Delay after a failed poll, for example if the database is unavailable. */
const ERROR_DELAY_MS = 1000;

/** The claimed job, or how long to wait if there was none to claim. */
type PollResult = { claimed: ClaimedJob } | { idleMs: number };

/** Runs the jobs of one queue in this process, up to its concurrency. Sleeps until there may be work. */
export class QueueWorker {
  private readonly running = new Set<Promise<void>>();
  private readonly shutdown = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> | undefined;
  /** Set if `wake` was called during a poll, which then polls once more. */
  private woken = false;
  private stopping = false;
  private claims = 0;
  private released = -Infinity;
  private readonly fair: FairShare;

  constructor(
    private readonly queue: RegisteredQueue,
    private readonly self: string,
    private readonly services: WorkerServices,
  ) {
    this.fair = new FairShare(queue.definition, services.jobs);
  }

  /** Call when there may be work. */
  wake(): void {
    if (this.stopping) return;
    this.woken = true;
    this.polling ??= this.poll().finally(() => {
      this.polling = undefined;
      if (this.woken && this.mayTake()) this.wake();
    });
  }

  /** Claims no more jobs, and waits up to `graceMs` for running jobs before releasing them. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    // A poll in progress may still claim a job.
    await this.polling;
    clearTimeout(this.timer);
    await withTimeout(Promise.all(this.running), graceMs, () => undefined);
    this.shutdown.abort(new Error('the worker is shutting down'));
    await Promise.all(this.running);
  }

  private mayTake(): boolean {
    return !this.stopping && this.running.size < this.queue.definition.concurrency;
  }

  private async poll(): Promise<void> {
    clearTimeout(this.timer);
    let idleMs = 0;
    try {
      while (this.mayTake()) {
        this.woken = false;
        const found = await this.next();
        if ('claimed' in found) {
          this.begin(found.claimed);
          continue;
        }
        idleMs = found.idleMs;
        if (!this.woken) break;
      }
    } catch (error) {
      this.woken = false;
      idleMs = ERROR_DELAY_MS;
      this.services.logger.warn({ err: error, queue: this.queue.definition.name }, 'could not poll for jobs');
    }
    if (!this.mayTake()) return;
    this.timer = setTimeout(() => {
      this.wake();
    }, idleMs);
  }

  private async next(): Promise<PollResult> {
    const { definition } = this.queue;
    const isFresh = await this.release(RELEASE_MS);
    const claimed = await this.claim();
    if (claimed) return claimed;
    // Jobs that became due since the last release are found only after another release.
    if (!isFresh && (await this.release(0))) {
      const late = await this.claim();
      if (late) return late;
    }
    const due = await this.services.jobs.nextRelease(definition.name);
    return { idleMs: Math.min(MAX_IDLE_MS, Math.max(1, (due?.getTime() ?? Infinity) - Date.now())) };
  }

  /** Returns undefined if no job is waiting. */
  private async claim(): Promise<PollResult | undefined> {
    const { jobs, limits } = this.services;
    const { name, rateLimit } = this.queue.definition;
    let next = await this.fair.next();
    if (next && rateLimit) {
      const waitMs = await limits.take(name, rateLimit, new Date());
      if (waitMs > 0) return { idleMs: waitMs };
    }
    while (next) {
      const claim = `${this.self}:${++this.claims}`;
      const now = new Date();
      const record = await jobs.claimWaiting(next, claim, now, new Date(now.getTime() + LEASE_MS));
      if (record) return { claimed: { record, claim } };
      // Another worker claimed it first.
      next = await this.fair.next();
    }
    return undefined;
  }

  /**
   * Makes due jobs and jobs with expired claims available, unless this was done within `ageMs`. Returns
   * whether it was done now.
   */
  private async release(ageMs: number): Promise<boolean> {
    if (performance.now() - this.released < ageMs) return false;
    this.released = performance.now();
    await this.services.jobs.release(this.queue.definition.name, new Date());
    return true;
  }

  private begin(job: ClaimedJob): void {
    const { tenantId } = job.record;
    this.fair.begun(tenantId);
    const run = this.run(job).finally(() => {
      this.fair.ended(tenantId);
      this.running.delete(run);
      this.wake();
    });
    this.running.add(run);
  }

  private async run(job: ClaimedJob): Promise<void> {
    const { runner, logger } = this.services;
    const { name } = this.queue.definition;
    try {
      await runner.run(this.queue, job, this.shutdown.signal);
    } catch (error) {
      logger.error(
        { err: error, queue: name, jobId: job.record._id.toHexString() },
        'could not record the result of a job; it runs again when its claim expires',
      );
    }
  }
}
