import { withTimeout } from '../../common/index.js';
import type { Logger } from '../../logging/index.js';
import { type ClaimedJob, type JobRunner, LEASE_MS } from '../job-runner.js';
import type { JobRepository } from '../job.repository.js';
import type { RegisteredQueue } from '../queue-registry.js';
import type { RateLimitRepository } from '../rate-limit.repository.js';

export interface WorkerServices {
  jobs: JobRepository;
  runner: JobRunner;
  limits: RateLimitRepository;
  logger: Logger;
}

/** Longest sleep: jobs that another process stored are found by then. */
const LOOK_MS = 2000;

/** While jobs keep coming, delayed ones and those of ended claims are looked for this often. */
const RELEASE_MS = 500;

/** After a failed look (the database is away). */
const TROUBLE_MS = 1000;

/** Why a look found nothing to run: until when there is nothing, as far as is known. */
type Look = { claimed: ClaimedJob } | { idleMs: number };

/** Runs the jobs of one queue in this process, up to its concurrency. Sleeps until there may be something to do. */
export class QueueWorker {
  private readonly running = new Set<Promise<void>>();
  private readonly shutdown = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  /** Something came while a look was under way: look once more. */
  private woken = false;
  private stopping = false;
  private claims = 0;
  private released = -Infinity;

  constructor(
    private readonly queue: RegisteredQueue,
    private readonly self: string,
    private readonly services: WorkerServices,
  ) {}

  /** There may be something to do. */
  wake(): void {
    if (this.stopping) return;
    this.woken = true;
    this.looking ??= this.look().finally(() => {
      this.looking = undefined;
      if (this.woken && this.mayTake()) this.wake();
    });
  }

  /** Takes nothing more; waits for what is at work, and after `graceMs` hands it back. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    // A look under way may still take a job.
    await this.looking;
    clearTimeout(this.timer);
    await withTimeout(Promise.all(this.running), graceMs, () => undefined);
    this.shutdown.abort(new Error('the worker is shutting down'));
    await Promise.all(this.running);
  }

  private mayTake(): boolean {
    return !this.stopping && this.running.size < this.queue.definition.concurrency;
  }

  private async look(): Promise<void> {
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
      idleMs = TROUBLE_MS;
      this.services.logger.warn(
        { err: error, queue: this.queue.definition.name },
        'jobs could not be looked for',
      );
    }
    if (!this.mayTake()) return;
    this.timer = setTimeout(() => {
      this.wake();
    }, idleMs);
  }

  private async next(): Promise<Look> {
    const { definition } = this.queue;
    const isFresh = await this.release(RELEASE_MS);
    const claimed = await this.claim();
    if (claimed) return claimed;
    // What became due since the last release is only found by another one.
    if (!isFresh && (await this.release(0))) {
      const late = await this.claim();
      if (late) return late;
    }
    const due = await this.services.jobs.nextRelease(definition.name);
    return { idleMs: Math.min(LOOK_MS, Math.max(1, (due?.getTime() ?? Infinity) - Date.now())) };
  }

  /** Undefined when no job waits. */
  private async claim(): Promise<Look | undefined> {
    const { jobs, limits } = this.services;
    const { name, rateLimit } = this.queue.definition;
    if (rateLimit) {
      if (!(await jobs.oldestWaiting(name))) return undefined;
      const waitMs = await limits.take(name, rateLimit, new Date());
      if (waitMs > 0) return { idleMs: waitMs };
    }
    const claim = `${this.self}:${++this.claims}`;
    const now = new Date();
    const record = await jobs.claimNext(name, claim, now, new Date(now.getTime() + LEASE_MS));
    return record ? { claimed: { record, claim } } : undefined;
  }

  /** Lets due jobs and jobs of ended claims wait, unless that was done within `ageMs`; true when it was done now. */
  private async release(ageMs: number): Promise<boolean> {
    if (performance.now() - this.released < ageMs) return false;
    this.released = performance.now();
    await this.services.jobs.release(this.queue.definition.name, new Date());
    return true;
  }

  private begin(job: ClaimedJob): void {
    const run = this.run(job).finally(() => {
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
        'the end of a job was not noted; it runs again when its claim ends',
      );
    }
  }
}
