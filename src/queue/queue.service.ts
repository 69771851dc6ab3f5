import { Inject, Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { positionBy, TransactionRunner, type UnitWriter } from '../database/index.js';
import { dateIdCursor, notFound, type Page, readPage } from '../http/index.js';
import { QUEUE_DRIVER, type QueueDriver } from './drivers/queue-driver.js';
import { JobRepository, type QueueCounts } from './job.repository.js';
import { JOB_COLLECTION, type JobRecord, type JobState } from './job.schema.js';
import { namesIn } from './job-mentions.js';
import { LOWEST_PRIORITY, type QueueDefinition } from './queue-definition.js';
import { QueueRegistry } from './queue-registry.js';
import { jobActive, jobNotDelayed, jobNotFailed } from './queue.errors.js';

export interface EnqueueOptions {
  /** Minimum delay before the job runs, milliseconds. */
  delayMs?: number;
  /** 0 (runs first) to 10 (runs last). Defaults to the queue's priority. */
  priority?: number;
  /** Defaults to the key derived by the queue's `dedupeKey`. */
  dedupeKey?: string;
}

/** A job that has an id as a value. */
export type MentioningJob = Pick<JobRecord, '_id' | 'tenantId' | 'queue'>;

export interface QueueStatus {
  name: string;
  counts: QueueCounts;
  /** How long the oldest waiting job has been waiting, milliseconds. Null if none is waiting. */
  oldestWaitingMs: number | null;
}

/** Number of jobs that are deleted at once. */
const DELETED_AT_ONCE = 100;

const positionOf = positionBy('dueAt');

/** Stores and finds jobs. */
@Injectable()
export class QueueService {
  constructor(
    private readonly jobs: JobRepository,
    private readonly registry: QueueRegistry,
    private readonly transactions: TransactionRunner,
    @Inject(QUEUE_DRIVER) private readonly driver: QueueDriver,
  ) {}

  /**
   * Stores a job. Within a transaction, the job is committed or rolled back with it; once committed, it is
   * not lost if Redis or this process fails. If an unfinished job has the same dedupeKey, that job is
   * returned.
   * @throws TypeError if the payload does not match the queue's schema, or the queue is not declared
   */
  async enqueue<Payload>(
    definition: QueueDefinition<Payload>,
    tenantId: string,
    payload: Payload,
    options: EnqueueOptions = {},
  ): Promise<{ id: string; isNew: boolean }> {
    const job = this.newJob(definition, tenantId, payload, options);
    const { dedupeKey } = job;
    const present =
      dedupeKey !== undefined && (await this.jobs.findByDedupeKey(tenantId, definition.name, dedupeKey));
    if (present) return { id: present._id.toHexString(), isNew: false };
    // Another job with this dedupeKey was stored after the check.
    if (!(await this.jobs.insert(job))) return this.enqueue(definition, tenantId, payload, options);
    await this.transactions.afterCommit(() => this.stored(job));
    return { id: job._id.toHexString(), isNew: true };
  }

  /**
   * Creates a job for a unit of work: add it to the unit with `write`, and call `stored` after the commit.
   * @throws TypeError if the payload does not match the queue's schema, or the queue is not declared
   */
  newJob<Payload>(
    definition: QueueDefinition<Payload>,
    tenantId: string,
    payload: Payload,
    options: EnqueueOptions = {},
  ): JobRecord {
    const { name } = definition;
    this.registry.definition(name);
    const checked = definition.payload.safeParse(payload);
    if (!checked.success)
      throw new TypeError(
        `the payload of the job does not match the schema of queue "${name}": ${checked.error.message}`,
      );
    const { delayMs = 0, priority = definition.priority } = options;
    const dedupeKey = options.dedupeKey ?? definition.dedupeKey?.(checked.data);
    const now = new Date();
    return {
      _id: new Types.ObjectId(),
      tenantId,
      queue: name,
      payload: JSON.parse(JSON.stringify(checked.data)) as unknown,
      state: delayMs > 0 ? 'delayed' : 'waiting',
      priority: Math.min(LOWEST_PRIORITY, Math.max(0, Math.round(priority))),
      dueAt: new Date(now.getTime() + Math.max(0, delayMs)),
      attempts: 0,
      progress: 0,
      failures: [],
      isUnhanded: true,
      ...(dedupeKey !== undefined && { dedupeKey }),
      createdAt: now,
      updatedAt: now,
    };
  }

  /** Adds the job to a unit of work. */
  write(writer: UnitWriter, job: JobRecord): void {
    writer.insert(JOB_COLLECTION, job);
  }

  /** Notifies the workers of a committed job. */
  stored(job: JobRecord): Promise<void> {
    return this.driver.stored(job);
  }

  /**
   * Also returns jobs of queues that are no longer declared.
   * @throws ProblemError 404 `job_not_found`
   */
  async get(tenantId: string, queue: string, id: string): Promise<JobRecord> {
    const job = await this.jobs.find(tenantId, queue, id);
    if (!job) throw notFound('job', id);
    return job;
  }

  /**
   * Removes members of the payloads of a tenant's jobs, in any state, and the messages of their failures. For
   * data that was erased while jobs contain some of it.
   */
  scrub(tenantId: string, ids: readonly string[], payloadFields: readonly string[]): Promise<void> {
    return this.jobs.scrub(
      tenantId,
      ids.map((id) => new Types.ObjectId(id)),
      payloadFields,
    );
  }

  /** Removes members of the payloads of all finished jobs of a queue, and returns the number of these jobs. */
  scrubFinished(queue: string, payloadFields: readonly string[]): Promise<number> {
    this.registry.definition(queue);
    return this.jobs.scrubFinished(queue, payloadFields);
  }

  /** For operators: jobs of all tenants in one state, newest first. */
  async list(queue: string, state: JobState, limit: number, cursor?: string): Promise<Page<JobRecord>> {
    this.registry.definition(queue);
    const from = dateIdCursor.decode(cursor);
    const read = (count: number, after = from): Promise<JobRecord[]> =>
      this.jobs.list(queue, state, count, after);
    return readPage(dateIdCursor, { limit, from, positionOf, read, batch: 16 }, (job) => job);
  }

  /** For operators: all queues. */
  async statuses(): Promise<QueueStatus[]> {
    const statuses: QueueStatus[] = [];
    for (const name of this.names()) statuses.push(await this.status(name));
    return statuses;
  }

  /**
   * For operators.
   * @throws ProblemError 404 `queue_not_found`
   */
  async status(queue: string): Promise<QueueStatus> {
    this.registry.definition(queue);
    const oldest = await this.jobs.oldestWaiting(queue);
    return {
      name: queue,
      counts: await this.jobs.counts(queue),
      oldestWaitingMs: oldest && Math.max(0, Date.now() - oldest.getTime()),
    };
  }

  /** Names of all declared queues. Complete once the application has started. */
  names(): string[] {
    return this.registry.all().map(({ name }) => name);
  }

  /** For operators: one job of any tenant, or null. */
  find(queue: string, id: string): Promise<JobRecord | null> {
    this.registry.definition(queue);
    return this.jobs.findAny(queue, id);
  }

  /** For operators: jobs in one state by offset, newest first, without payloads and results. */
  slice(queue: string, state: JobState, skip: number, limit: number): Promise<JobRecord[]> {
    this.registry.definition(queue);
    return this.jobs.slice(queue, state, skip, limit);
  }

  /**
   * For operators: retries a failed job with its attempts reset.
   * @throws ProblemError 404 `job_not_found`, 409 `job_not_failed`
   */
  async retry(queue: string, id: string): Promise<JobRecord> {
    const present = await this.present(queue, id);
    const job = await this.jobs.retry(present, new Date());
    if (!job) throw jobNotFailed(id, (await this.present(queue, id)).state);
    await this.driver.stored(job);
    return job;
  }

  /**
   * For operators: makes a delayed job due now.
   * @throws ProblemError 404 `job_not_found`, 409 `job_not_delayed`
   */
  async promote(queue: string, id: string): Promise<JobRecord> {
    const present = await this.present(queue, id);
    const job = await this.jobs.promote(present, new Date());
    if (!job) throw jobNotDelayed(id, (await this.present(queue, id)).state);
    await this.driver.stored(job);
    return job;
  }

  /**
   * For operators: deletes a job in any state except active.
   * @throws ProblemError 404 `job_not_found`, 409 `job_active` while it is running
   */
  async remove(queue: string, id: string): Promise<void> {
    if (await this.jobs.remove(await this.present(queue, id))) return;
    await this.present(queue, id);
    throw jobActive(id);
  }

  /** For operators: deletes all jobs of a queue in the given state and returns their number. */
  clear(queue: string, state: 'completed' | 'failed'): Promise<number> {
    this.registry.definition(queue);
    return this.jobs.prune(queue, state, 0);
  }

  /** Deletes all jobs of a tenant, in any state. */
  async deleteAll(tenantId: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const jobs = await this.jobs.ofTenant(tenantId, DELETED_AT_ONCE);
      if (jobs.length === 0) return;
      signal.throwIfAborted();
      await this.driver.forget(jobs);
      await this.jobs.deleteAll(
        tenantId,
        jobs.map(({ _id }) => _id),
      );
    }
  }

  /**
   * Jobs whose payload, result or dedupeKey has this id as a value. Reads all jobs of the tenant, which are few:
   * finished ones are pruned.
   */
  async mentioning(tenantId: string, id: string): Promise<MentioningJob[]> {
    const found: MentioningJob[] = [];
    await this.jobs.forEach(tenantId, (job) => {
      if (namesIn(job).has(id)) found.push({ tenantId, _id: job._id, queue: job.queue });
    });
    return found;
  }

  /** Deletes jobs in any state. A worker that runs one of them notices it within ten seconds. */
  async erase(tenantId: string, jobs: readonly MentioningJob[]): Promise<void> {
    for (let begin = 0; begin < jobs.length; begin += DELETED_AT_ONCE) {
      const batch = jobs.slice(begin, begin + DELETED_AT_ONCE);
      await this.driver.forget(batch);
      await this.jobs.deleteAll(
        tenantId,
        batch.map(({ _id }) => _id),
      );
    }
  }

  /**
   * For operators: one job of any tenant.
   * @throws ProblemError 404 `queue_not_found`, `job_not_found`
   */
  async present(queue: string, id: string): Promise<JobRecord> {
    this.registry.definition(queue);
    const job = await this.jobs.findAny(queue, id);
    if (!job) throw notFound('job', id);
    return job;
  }
}
