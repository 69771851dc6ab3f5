import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type mongo, type QueryFilter, Types } from 'mongoose';
import { afterCursor, beforeAndAfter, type DueRoot, duplicateKeyFields } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import { indexByTenant, JOB_MODEL, type JobFailure, type JobRecord, type JobState } from './job.schema.js';

/** Identifies one job including its shard key. */
export type JobKey = Pick<JobRecord, '_id' | 'tenantId'>;

/** The result of an attempt. */
export type JobEnd =
  | { state: 'completed'; result: unknown }
  | { state: 'failed'; failure: JobFailure }
  | { state: 'delayed'; failure: JobFailure; dueAt: Date }
  /** Released at shutdown; the attempt does not count. */
  | { state: 'waiting' };

/** A claimed job. */
export type ClaimedRecord = JobRecord & {
  /** When the job was due before it was claimed. */
  wasDueAt: Date;
};

export interface QueueCounts {
  waiting: number;
  delayed: number;
  active: number;
  completed: number;
  failed: number;
}

/** Jobs read at once by `forEach`. */
const VISITED_AT_ONCE = 100;

/** Maximum number of failures stored per job. */
const KEPT_FAILURES = 5;

const unfinished: readonly JobState[] = ['waiting', 'delayed', 'active'];

/**
 * Stores all jobs. Methods for workers and operators cover all tenants; those for clients take the tenant
 * first. Every update of a single job names its tenant, the shard key: without it, a sharded cluster before
 * MongoDB 7.1 rejects findAndModify, and later versions query every shard.
 */
@Injectable()
export class JobRepository {
  constructor(@InjectModel(JOB_MODEL) private readonly jobs: Model<JobRecord>) {}

  /**
   * Takes part in a running transaction. Returns false if there is an unfinished job with the same dedupeKey.
   */
  async insert(job: JobRecord): Promise<boolean> {
    try {
      await this.jobs.insertMany([job], { lean: true });
      return true;
    } catch (error) {
      if (duplicateKeyFields(error)?.includes('dedupeKey')) return false;
      throw error;
    }
  }

  findByDedupeKey(tenantId: string, queue: string, dedupeKey: string): Promise<JobRecord | null> {
    return this.jobs.findOne({ tenantId, queue, dedupeKey }).lean<JobRecord>().exec();
  }

  find(tenantId: string, queue: string, id: string): Promise<JobRecord | null> {
    return this.jobs
      .findOne({ _id: new Types.ObjectId(id), tenantId, queue })
      .lean<JobRecord>()
      .exec();
  }

  findAny(queue: string, id: string): Promise<JobRecord | null> {
    return this.jobs
      .findOne({ _id: new Types.ObjectId(id), queue })
      .lean<JobRecord>()
      .exec();
  }

  /** The next waiting job of the first tenant after `after`, by id. Null if none has one. */
  nextWaiting(queue: string, after: string): Promise<JobKey | null> {
    return (
      this.jobs
        .findOne({ tenantId: { $gt: after }, queue, state: 'waiting' }, { tenantId: 1 })
        // By tenant, then priority and time: queue and state are fixed.
        .sort(indexByTenant)
        // With the index that begins with the queue, all its waiting jobs would have to be sorted.
        .hint(indexByTenant)
        .lean<JobKey>()
        .exec()
    );
  }

  /** Claims a waiting job until `until`. Returns null if another worker claimed it first. */
  claimWaiting(
    { _id, tenantId }: JobKey,
    claim: string,
    now: Date,
    until: Date,
  ): Promise<ClaimedRecord | null> {
    const job = { _id, tenantId, state: 'waiting' } as const;
    return this.claim(job, { claim, dueAt: until, startedAt: now, updatedAt: now });
  }

  /**
   * Claims one unfinished job, even if another worker holds it. Only for a dispatcher that assigns each job
   * to one worker at a time.
   */
  claimOne(
    tenantId: string,
    id: string,
    claim: string,
    now: Date,
    until: Date,
  ): Promise<ClaimedRecord | null> {
    const job = { _id: new Types.ObjectId(id), tenantId, state: { $in: unfinished } };
    return this.claim(job, { claim, dueAt: until, startedAt: now, updatedAt: now });
  }

  /** Renews a claim and stores the progress. Returns false if the claim was lost. */
  async prolong({ _id, tenantId }: JobKey, claim: string, until: Date, progress?: number): Promise<boolean> {
    const { matchedCount } = await this.jobs
      .updateOne(
        { _id, tenantId, state: 'active', claim },
        { $set: { dueAt: until, ...(progress !== undefined && { progress }) } },
      )
      .exec();
    return matchedCount === 1;
  }

  /** Records the result of an attempt. Returns false, without changes, if the claim was lost. */
  async end({ _id, tenantId }: JobKey, claim: string, end: JobEnd, now: Date): Promise<boolean> {
    const isFinished = end.state === 'completed' || end.state === 'failed';
    const changes: mongo.UpdateFilter<JobRecord> = {
      $set: {
        state: end.state,
        dueAt: end.state === 'delayed' ? end.dueAt : now,
        updatedAt: now,
        ...(end.state === 'completed' && { progress: 100, result: end.result }),
      },
      $unset: { claim: 1, ...(isFinished && { dedupeKey: 1, isUnhanded: 1 }) },
      ...(end.state === 'waiting' && { $inc: { attempts: -1 } }),
      ...('failure' in end && {
        $push: { failures: { $each: [end.failure], $slice: -KEPT_FAILURES } },
      }),
    };
    // Not through the model: its updates do not keep every JSON value of a result exactly.
    const { matchedCount } = await this.jobs.collection.updateOne(
      { _id, tenantId, state: 'active', claim },
      changes as mongo.UpdateFilter<mongo.Document>,
    );
    return matchedCount === 1;
  }

  /** Sets delayed jobs that are due and jobs with an expired claim to waiting, and returns their number. */
  async release(queue: string, now: Date): Promise<number> {
    const due = { queue, dueAt: { $lte: now } };
    const wait = { $set: { state: 'waiting', updatedAt: now }, $unset: { claim: 1 } } as const;
    const delayed = await this.jobs.updateMany({ ...due, state: 'delayed' }, wait).exec();
    const lost = await this.jobs.updateMany({ ...due, state: 'active' }, wait).exec();
    return delayed.modifiedCount + lost.modifiedCount;
  }

  /** Returns when `release` will next find a job, or null if none is delayed or claimed. */
  async nextRelease(queue: string): Promise<Date | null> {
    const times: number[] = [];
    for (const state of ['delayed', 'active'] as const) {
      const next = await this.jobs
        .findOne({ queue, state }, { dueAt: 1 })
        .sort({ dueAt: 1, _id: 1 })
        .lean<Pick<JobRecord, 'dueAt'>>()
        .exec();
      if (next) times.push(next.dueAt.getTime());
    }
    return times.length === 0 ? null : new Date(Math.min(...times));
  }

  /** Unfinished jobs that were not added to Redis, oldest first. */
  unhanded(queue: string, limit: number): Promise<JobRecord[]> {
    return this.jobs
      .find({ queue, isUnhanded: true, state: { $in: unfinished } })
      .sort({ _id: 1 })
      .limit(limit)
      .lean<JobRecord[]>()
      .exec();
  }

  async markHanded({ _id, tenantId }: JobKey): Promise<void> {
    await this.jobs.updateOne({ _id, tenantId }, { $unset: { isUnhanded: 1 } }).exec();
  }

  /** Unfinished jobs that were due before `before`, in each state those longest overdue first. */
  async overdue(queue: string, before: Date, limit: number): Promise<JobRecord[]> {
    const found: JobRecord[] = [];
    for (const state of unfinished)
      found.push(
        ...(await this.jobs
          .find({ queue, state, dueAt: { $lt: before } })
          .sort({ dueAt: 1, _id: 1 })
          .limit(limit)
          .lean<JobRecord[]>()
          .exec()),
      );
    return found;
  }

  /** Sets a failed job to waiting with its attempts reset. Returns null if it is not failed. */
  retry({ _id, tenantId, queue }: JobKey & Pick<JobRecord, 'queue'>, now: Date): Promise<JobRecord | null> {
    return this.jobs
      .findOneAndUpdate(
        { _id, tenantId, queue, state: 'failed' },
        {
          $set: { state: 'waiting', dueAt: now, updatedAt: now, attempts: 0, progress: 0, isUnhanded: true },
        },
        { returnDocument: 'after' },
      )
      .lean<JobRecord>()
      .exec();
  }

  /** Sets a delayed job to waiting. Returns null if it is not delayed. */
  promote({ _id, tenantId, queue }: JobKey & Pick<JobRecord, 'queue'>, now: Date): Promise<JobRecord | null> {
    return this.jobs
      .findOneAndUpdate(
        { _id, tenantId, queue, state: 'delayed' },
        { $set: { state: 'waiting', dueAt: now, updatedAt: now, isUnhanded: true } },
        { returnDocument: 'after' },
      )
      .lean<JobRecord>()
      .exec();
  }

  /** Deletes a job. Returns false if it does not exist or is active. */
  async remove({ _id, tenantId, queue }: JobKey & Pick<JobRecord, 'queue'>): Promise<boolean> {
    const { deletedCount } = await this.jobs
      .deleteOne({ _id, tenantId, queue, state: { $ne: 'active' } })
      .exec();
    return deletedCount === 1;
  }

  /** Jobs of the tenant in any queue and state: up to `limit`, in no particular order. */
  ofTenant(tenantId: string, limit: number): Promise<(JobKey & Pick<JobRecord, 'queue'>)[]> {
    return this.jobs
      .find({ tenantId }, { tenantId: 1, queue: 1 })
      .limit(limit)
      .lean<(JobKey & Pick<JobRecord, 'queue'>)[]>()
      .exec();
  }

  /** Calls `visit` for each job of the tenant, in no particular order. */
  async forEach(tenantId: string, visit: (job: JobRecord) => void): Promise<void> {
    const jobs = this.jobs.find({ tenantId }).lean<JobRecord[]>().cursor({ batchSize: VISITED_AT_ONCE });
    for await (const job of jobs as AsyncIterable<JobRecord>) visit(job);
  }

  /** Deletes jobs in any state. A worker that runs one of them notices that its claim is lost. */
  async deleteAll(tenantId: string, ids: readonly Types.ObjectId[]): Promise<void> {
    await this.jobs.deleteMany({ tenantId, _id: { $in: ids } }).exec();
  }

  /** Removes members of the payload, and all failures, whose messages may quote it. */
  async scrub(
    tenantId: string,
    ids: readonly Types.ObjectId[],
    payloadFields: readonly string[],
  ): Promise<void> {
    const removed = Object.fromEntries(payloadFields.map((field) => [`payload.${field}`, 1 as const]));
    await this.jobs
      .updateMany({ tenantId, _id: { $in: ids } }, { $set: { failures: [] }, $unset: removed })
      .exec();
  }

  /** Removes members of the payloads of a queue's finished jobs. */
  async scrubFinished(queue: string, payloadFields: readonly string[]): Promise<number> {
    const names = payloadFields.map((field) => `payload.${field}`);
    const { modifiedCount } = await this.jobs
      .updateMany(
        {
          queue,
          state: { $in: ['completed', 'failed'] },
          $or: names.map((name) => ({ [name]: { $exists: true } })),
        },
        { $unset: Object.fromEntries(names.map((name) => [name, 1 as const])) },
      )
      .exec();
    return modifiedCount;
  }

  /** Newest first. */
  list(queue: string, state: JobState, limit: number, cursor?: DateIdCursor): Promise<JobRecord[]> {
    return this.jobs
      .find({ queue, state, ...afterCursor('dueAt', cursor) })
      .sort({ dueAt: -1, _id: -1 })
      .limit(limit)
      .lean<JobRecord[]>()
      .exec();
  }

  /**
   * Returns jobs newest first, without payloads and results, for numbered pages, which `list` cannot serve.
   * The database skips the rows of the previous pages.
   */
  slice(queue: string, state: JobState, skip: number, limit: number): Promise<JobRecord[]> {
    return this.jobs
      .find({ queue, state }, { payload: 0, result: 0 })
      .sort({ dueAt: -1, _id: -1 })
      .skip(skip)
      .limit(limit)
      .lean<JobRecord[]>()
      .exec();
  }

  async counts(queue: string): Promise<QueueCounts> {
    const of = (state: JobState): Promise<number> => this.jobs.countDocuments({ queue, state }).exec();
    return {
      waiting: await of('waiting'),
      delayed: await of('delayed'),
      active: await of('active'),
      completed: await of('completed'),
      failed: await of('failed'),
    };
  }

  countUnhanded(queue: string): Promise<number> {
    return this.jobs.countDocuments({ queue, isUnhanded: true, state: { $in: unfinished } }).exec();
  }

  /** Returns since when the oldest waiting job has been waiting. */
  async oldestWaiting(queue: string): Promise<Date | null> {
    const oldest = await this.jobs
      .findOne({ queue, state: 'waiting' }, { dueAt: 1 })
      .sort({ dueAt: 1, _id: 1 })
      .lean<Pick<JobRecord, 'dueAt'>>()
      .exec();
    return oldest?.dueAt ?? null;
  }

  /** Deletes finished jobs beyond the newest `keep`, and returns their number. */
  async prune(queue: string, state: 'completed' | 'failed', keep: number): Promise<number> {
    const last = await this.jobs
      .findOne({ queue, state }, { dueAt: 1 })
      .sort({ dueAt: -1, _id: -1 })
      .skip(keep)
      .lean<Pick<JobRecord, '_id' | 'dueAt'>>()
      .exec();
    if (!last) return 0;
    const { deletedCount } = await this.jobs
      .deleteMany({
        queue,
        state,
        dueAt: { $lte: last.dueAt },
        $or: [{ dueAt: { $lt: last.dueAt } }, { _id: { $lte: last._id } }],
      })
      .exec();
    return deletedCount;
  }

  /** Jobs of the tenant that finished before `before`, in any queue, oldest first. */
  finishedBefore(
    tenantId: string,
    before: Date,
    after: DueRoot | undefined,
    limit: number,
  ): Promise<Pick<JobRecord, '_id' | 'dueAt'>[]> {
    return this.jobs
      .find(
        { tenantId, state: { $in: ['completed', 'failed'] }, ...beforeAndAfter('dueAt', before, after) },
        { dueAt: 1 },
      )
      .sort({ dueAt: 1, _id: 1 })
      .limit(limit)
      .hint(indexByTenant)
      .lean<Pick<JobRecord, '_id' | 'dueAt'>[]>()
      .exec();
  }

  countOf(tenantId: string): Promise<number> {
    return this.jobs.countDocuments({ tenantId }).exec();
  }

  /** Deletes a finished job, unless it was retried. Returns whether it did. */
  async deleteUnchanged(
    tenantId: string,
    { _id, state, dueAt }: Pick<JobRecord, '_id' | 'state' | 'dueAt'>,
  ): Promise<boolean> {
    const { deletedCount } = await this.jobs.deleteOne({ tenantId, _id, state, dueAt }).exec();
    return deletedCount === 1;
  }

  /** Returns the updated job, with the time at which it was due before the update. */
  private async claim(
    filter: QueryFilter<JobRecord>,
    taken: Pick<JobRecord, 'dueAt' | 'startedAt' | 'updatedAt'> & { claim: string },
  ): Promise<ClaimedRecord | null> {
    const changes = { ...taken, state: 'active', progress: 0 } as const;
    const before = await this.jobs
      .findOneAndUpdate(filter, { $set: changes, $inc: { attempts: 1 } }, { returnDocument: 'before' })
      .lean<JobRecord>()
      .exec();
    return before && { ...before, ...changes, attempts: before.attempts + 1, wasDueAt: before.dueAt };
  }
}
