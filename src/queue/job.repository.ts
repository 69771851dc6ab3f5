import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type QueryFilter, Types } from 'mongoose';
import { afterCursor, duplicateKeyFields } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import { JOB_MODEL, type JobFailure, type JobRecord, type JobState } from './job.schema.js';

/** Finds one job on one shard. */
export type JobKey = Pick<JobRecord, '_id' | 'tenantId'>;

/** What is left of a try that ended. */
export type JobEnd =
  | { state: 'completed'; result: unknown }
  | { state: 'failed'; failure: JobFailure }
  | { state: 'delayed'; failure: JobFailure; dueAt: Date }
  /** Handed back untried, at a shutdown. */
  | { state: 'waiting' };

/** A job as it is once it was taken. */
export type ClaimedRecord = JobRecord & {
  /** When it was to run. */
  wasDueAt: Date;
};

export interface QueueCounts {
  waiting: number;
  delayed: number;
  active: number;
  completed: number;
  failed: number;
}

/** Failures of one job that are kept. */
const KEPT_FAILURES = 5;

const soonest = { priority: 1, dueAt: 1, _id: 1 } as const;

const unfinished: readonly JobState[] = ['waiting', 'delayed', 'active'];

/**
 * The record of all jobs. Methods that serve workers or operators are for all tenants; those that serve clients begin with the tenant.
 * Each change of one job names its tenant, the shard key: on a sharded cluster findAndModify is refused without it before MongoDB 7.1, and
 * asks every shard from then on.
 */
@Injectable()
export class JobRepository {
  constructor(@InjectModel(JOB_MODEL) private readonly jobs: Model<JobRecord>) {}

  /** Takes part in a running transaction. False when an unfinished job of the same dedupeKey is there. */
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

  /** Takes the next job of the queue for `claim` until `until`; null when none waits. */
  async claimNext(queue: string, claim: string, now: Date, until: Date): Promise<ClaimedRecord | null> {
    for (;;) {
      const next = await this.jobs
        .findOne({ queue, state: 'waiting' }, { tenantId: 1 })
        .sort(soonest)
        .lean<JobKey>()
        .exec();
      if (!next) return null;
      const job = { ...next, queue, state: 'waiting' } as const;
      const claimed = await this.claim(job, { claim, dueAt: until, startedAt: now, updatedAt: now });
      // Else another worker took it in between: there may be one after it.
      if (claimed) return claimed;
    }
  }

  /** Takes one unfinished job, whoever had it: for a dispatcher that gives it to one worker at a time. */
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

  /** Prolongs a claim and notes progress; false when the claim was lost. */
  async prolong({ _id, tenantId }: JobKey, claim: string, until: Date, progress?: number): Promise<boolean> {
    const { matchedCount } = await this.jobs
      .updateOne(
        { _id, tenantId, state: 'active', claim },
        { $set: { dueAt: until, ...(progress !== undefined && { progress }) } },
      )
      .exec();
    return matchedCount === 1;
  }

  /** Notes how a try ended; false when the claim was lost, and nothing was noted. */
  async end({ _id, tenantId }: JobKey, claim: string, end: JobEnd, now: Date): Promise<boolean> {
    const isFinished = end.state === 'completed' || end.state === 'failed';
    const { matchedCount } = await this.jobs
      .updateOne(
        { _id, tenantId, state: 'active', claim },
        {
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
        },
      )
      .exec();
    return matchedCount === 1;
  }

  /** Delayed jobs whose time has come, and jobs whose claim has ended, wait from now on; answers how many. */
  async release(queue: string, now: Date): Promise<number> {
    const due = { queue, dueAt: { $lte: now } };
    const wait = { $set: { state: 'waiting', updatedAt: now }, $unset: { claim: 1 } } as const;
    const delayed = await this.jobs.updateMany({ ...due, state: 'delayed' }, wait).exec();
    const lost = await this.jobs.updateMany({ ...due, state: 'active' }, wait).exec();
    return delayed.modifiedCount + lost.modifiedCount;
  }

  /** When `release` will find something next; null when nothing is delayed or claimed. */
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

  /** Unfinished jobs that were not handed to Redis, oldest first. */
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

  /** Unfinished jobs that should have been at work, or done, before `before`, longest first. */
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

  /** A failed job waits again, with all its tries; null when it is not failed. */
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

  /** A delayed job waits from now on; null when it is not delayed. */
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

  /** False when it is no more there, or at work. */
  async remove({ _id, tenantId, queue }: JobKey & Pick<JobRecord, 'queue'>): Promise<boolean> {
    const { deletedCount } = await this.jobs
      .deleteOne({ _id, tenantId, queue, state: { $ne: 'active' } })
      .exec();
    return deletedCount === 1;
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
   * Newest first, without payloads and results. For tables with numbered pages, which `list` cannot serve; the database steps over the rows of
   * the pages before.
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

  /** Since when the job that waits longest does. */
  async oldestWaiting(queue: string): Promise<Date | null> {
    const oldest = await this.jobs
      .findOne({ queue, state: 'waiting' }, { dueAt: 1 })
      .sort({ dueAt: 1, _id: 1 })
      .lean<Pick<JobRecord, 'dueAt'>>()
      .exec();
    return oldest?.dueAt ?? null;
  }

  /** Deletes finished jobs beyond the newest `keep`; answers how many. */
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

  /** Returns the row as it is now, and from the row before when the job was due. */
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
