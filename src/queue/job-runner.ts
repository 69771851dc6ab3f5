import { Inject, Injectable } from '@nestjs/common';
import { backoffDelay, beginningOf, messageOf, untilAborted } from '../common/index.js';
import { ERROR_REPORTER, type ErrorReporter, LOGGER, type Logger, runInContext } from '../logging/index.js';
import { type ClaimedRecord, type JobEnd, JobRepository } from './job.repository.js';
import type { JobRecord } from './job.schema.js';
import { QueueMonitoring } from './queue-monitoring.js';
import type { RegisteredQueue } from './queue-registry.js';
import { ClaimLostError, JobTimeoutError, UnrecoverableError } from './queue.errors.js';

/**
 * Duration of a claim that is not renewed, milliseconds. The job of a killed worker runs again after this
 * time.
 */
export const LEASE_MS = 30_000;

/** Minimum interval between stored progress updates, milliseconds. */
const PROGRESS_MS = 250;

/** Number of finished jobs after which a queue's old finished jobs are pruned. */
const PRUNE_EVERY = 50;

/** Maximum length of a stored error message, UTF-16 units. */
const MAX_MESSAGE = 2000;

export type RunOutcome = 'completed' | 'failed' | 'retry' | 'returned' | 'lost';

export interface RunReport {
  outcome: RunOutcome;
  durationMs: number;
  /** For `retry`: when the job is due again. */
  dueAt?: Date;
  error?: unknown;
}

export interface ClaimedJob {
  readonly record: ClaimedRecord;
  readonly claim: string;
}

const contextOfJob = ({ _id, tenantId }: JobRecord): { requestId: string; tenantId: string } => ({
  requestId: `job-${_id.toHexString()}`,
  tenantId,
});

/** Converts a result to plain JSON, so that it is the same in memory and in the database. */
const plain = (result: unknown): unknown =>
  result === undefined ? null : (JSON.parse(JSON.stringify(result) ?? 'null') as unknown);

/** Runs one attempt of a claimed job and records its result. Used by both drivers. */
@Injectable()
export class JobRunner {
  private readonly finished = new Map<string, number>();

  constructor(
    private readonly jobs: JobRepository,
    private readonly monitoring: QueueMonitoring,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(ERROR_REPORTER) private readonly errors: ErrorReporter,
  ) {}

  /**
   * Never rejects because of the job itself. Rejects if the result cannot be recorded; the job then runs
   * again after its lease.
   */
  async run(queue: RegisteredQueue, job: ClaimedJob, shutdown: AbortSignal): Promise<RunReport> {
    const { record } = job;
    return runInContext(contextOfJob(record), async () => {
      const begun = performance.now();
      this.monitoring.begun(record.queue, Date.now() - record.wasDueAt.getTime());
      const lost = new AbortController();
      const heartbeat = this.keepClaim(job, lost);
      let end: JobEnd;
      let error: unknown;
      try {
        end = { state: 'completed', result: plain(await this.work(queue, job, lost, shutdown)) };
      } catch (failure) {
        error = failure;
        end = this.endOf(queue, record, failure, shutdown);
      } finally {
        clearInterval(heartbeat);
      }
      const isMine = await this.jobs.end(record, job.claim, end, new Date());
      const durationMs = performance.now() - begun;
      const report = this.report(end, isMine, durationMs, error);
      this.monitoring.ended(record.queue, report);
      this.logResult(queue, record, report);
      if (report.outcome === 'completed' || report.outcome === 'failed')
        await this.prune(queue, report.outcome);
      return report;
    });
  }

  /** Deletes old finished jobs beyond those to keep, once every PRUNE_EVERY jobs. */
  private async prune(
    { definition: { name, keep } }: RegisteredQueue,
    state: 'completed' | 'failed',
  ): Promise<void> {
    const counter = `${name} ${state}`;
    const finished = this.finished.get(counter) ?? 0;
    this.finished.set(counter, finished + 1);
    if (finished % PRUNE_EVERY !== 0) return;
    try {
      await this.jobs.prune(name, state, keep[state]);
    } catch (error) {
      this.logger.warn({ err: error, queue: name }, 'could not prune finished jobs');
    }
  }

  private keepClaim({ record, claim }: ClaimedJob, lost: AbortController): NodeJS.Timeout {
    const timer = setInterval(() => {
      this.jobs.prolong(record, claim, new Date(Date.now() + LEASE_MS)).then(
        (isMine) => {
          if (!isMine) lost.abort(new ClaimLostError());
        },
        (error: unknown) => {
          this.logger.warn({ err: error }, 'could not renew the claim of a job');
        },
      );
    }, LEASE_MS / 3);
    timer.unref();
    return timer;
  }

  private async work(
    { definition, processor }: RegisteredQueue,
    { record, claim }: ClaimedJob,
    lost: AbortController,
    shutdown: AbortSignal,
  ): Promise<unknown> {
    if (record.attempts > definition.attempts)
      throw new UnrecoverableError('On every attempt the worker stopped before the job ended.');
    const payload = definition.payload.safeParse(record.payload);
    if (!payload.success)
      throw new UnrecoverableError(
        `The payload does not match the schema of the queue: ${payload.error.message}`,
      );
    const timeout = new AbortController();
    const timer = setTimeout(() => {
      timeout.abort(new JobTimeoutError(definition.timeoutMs));
    }, definition.timeoutMs);
    const signal = AbortSignal.any([timeout.signal, lost.signal, shutdown]);
    try {
      const work = processor.process({
        id: record._id.toHexString(),
        tenantId: record.tenantId,
        queue: definition.name,
        payload: payload.data,
        attempt: record.attempts,
        signal,
        progress: this.progressOf(record, claim),
      });
      return await untilAborted(work, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  private progressOf(record: JobRecord, claim: string): (percent: number) => Promise<void> {
    let stored = -Infinity;
    return async (percent) => {
      const now = Date.now();
      if (now - stored < PROGRESS_MS) return;
      stored = now;
      const share = Math.min(100, Math.max(0, Math.round(percent)));
      await this.jobs.prolong(record, claim, new Date(now + LEASE_MS), share);
    };
  }

  private endOf(
    { definition }: RegisteredQueue,
    record: JobRecord,
    error: unknown,
    shutdown: AbortSignal,
  ): JobEnd {
    const now = new Date();
    // Aborted by our own shutdown: the attempt does not count.
    if (shutdown.aborted && error === shutdown.reason) return { state: 'waiting' };
    const failure = {
      at: now,
      attempt: record.attempts,
      message: beginningOf(messageOf(error), MAX_MESSAGE),
    };
    if (error instanceof UnrecoverableError || record.attempts >= definition.attempts)
      return { state: 'failed', failure };
    const dueAt = new Date(now.getTime() + backoffDelay(record.attempts, definition.backoff));
    return { state: 'delayed', failure, dueAt };
  }

  private report(end: JobEnd, isMine: boolean, durationMs: number, error: unknown): RunReport {
    if (!isMine) return { outcome: 'lost', durationMs, error };
    if (end.state === 'delayed') return { outcome: 'retry', durationMs, dueAt: end.dueAt, error };
    if (end.state === 'waiting') return { outcome: 'returned', durationMs };
    return { outcome: end.state, durationMs, error };
  }

  /** Logs the result of an attempt. A final failure is also sent to the error reporter. */
  private logResult({ definition }: RegisteredQueue, record: JobRecord, report: RunReport): void {
    const { outcome, durationMs, error } = report;
    const details = {
      ...contextOfJob(record),
      queue: definition.name,
      jobId: record._id.toHexString(),
      attempt: record.attempts,
      durationMs: Math.round(durationMs),
    };
    if (outcome === 'failed') {
      const { queue, jobId, attempt } = details;
      const errorId = this.errors.report(error, {
        tags: {
          queue,
          jobId,
          attempts: attempt,
          maxAttempts: definition.attempts,
          ...contextOfJob(record),
        },
      });
      this.logger.error({ ...details, err: error, errorId }, 'job failed');
    } else if (outcome === 'retry')
      this.logger.warn({ ...details, err: error }, 'job failed; it will be retried');
    else if (outcome === 'lost') this.logger.warn(details, 'the claim of a job was lost to another worker');
    else this.logger.debug({ ...details, outcome }, 'job ended');
  }
}
