import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, mongo, type QueryFilter, Types } from 'mongoose';
import { afterCursor } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import type { AggregatedCollection } from '../search/index.js';
import {
  COUNTER_MODEL,
  type CounterRecord,
  type FinishedTranscript,
  type QueuedTranscript,
  TOMBSTONE_MODEL,
  type TombstoneRecord,
  TRANSCRIPT_MODEL,
  type TranscriptRecord,
  UNCLAIMED,
} from './transcript.schema.js';

export interface TranscriptFilter {
  participantId?: string | undefined;
  status?: FinishedTranscript['status'] | undefined;
}

/** A queued transcript that no worker has claimed, without its text. */
export type WaitingTranscript = Pick<QueuedTranscript, '_id' | 'tenantId' | 'queuedAt'>;

/** The result of processing a claimed transcript. */
export interface Outcome {
  _id: Types.ObjectId;
  status: FinishedTranscript['status'];
  error?: string;
  model?: string;
  vector?: mongo.Binary;
}

/** All queued transcripts, including those being processed. */
export interface Waiting {
  count: number;
  /** Number of claimed transcripts, by tenant. */
  claimed: ReadonlyMap<string, number>;
  /** Since when the oldest has been waiting. */
  oldest: Date | undefined;
}

/** The fields of a row that are embedded. */
export type EmbeddableRow = Pick<TranscriptRecord, '_id' | 'transcript' | 'summary'>;
/** Amounts that a change adds to its tenant's counters. */
export type Tally = Partial<Record<'stored' | 'dead' | 'failures' | 'batches' | 'batched', number>>;

const withoutVector = { vector: 0 } as const;

@Injectable()
export class TranscriptRepository {
  constructor(
    @InjectModel(TRANSCRIPT_MODEL) private readonly transcripts: Model<TranscriptRecord>,
    @InjectModel(COUNTER_MODEL) private readonly counters: Model<CounterRecord>,
    @InjectModel(TOMBSTONE_MODEL) private readonly tombstones: Model<TombstoneRecord>,
  ) {}

  /**
   * Takes the number of the tenant's next change. It must be the first write of its transaction: it makes
   * other transactions of the tenant wait, so that changes become visible in the order of their numbers.
   */
  async nextChange(tenantId: string, tally: Tally = {}): Promise<number> {
    const { seq } = await this.counters
      .findOneAndUpdate(
        { tenantId },
        { $inc: { seq: 1, ...tally }, $setOnInsert: { forgottenSeq: 0 } },
        { upsert: true, returnDocument: 'after' },
      )
      .lean<CounterRecord>()
      .orFail()
      .exec();
    return seq;
  }

  /** Adds to the counters within the transaction in which `nextChange` was called. */
  async count(tenantId: string, tally: Tally): Promise<void> {
    await this.counters.updateOne({ tenantId }, { $inc: tally }).exec();
  }

  /** Deletes the counter if it has counted nothing but one change. */
  async dropFirstCounter(tenantId: string): Promise<void> {
    await this.counters.deleteOne({ tenantId, seq: 1 }).exec();
  }

  counter(tenantId: string): Promise<CounterRecord | null> {
    return this.counters.findOne({ tenantId }).lean<CounterRecord>().exec();
  }

  /** Returns those of the ids that were deleted. */
  async deleted(tenantId: string, ids: readonly Types.ObjectId[]): Promise<Set<string>> {
    const rows = await this.tombstones
      .find({ tenantId, transcriptId: { $in: ids } }, { transcriptId: 1 })
      .lean<Pick<TombstoneRecord, 'transcriptId'>[]>()
      .exec();
    return new Set(rows.map(({ transcriptId }) => transcriptId.toHexString()));
  }

  async insert(tenantId: string, records: readonly Omit<TranscriptRecord, 'tenantId'>[]): Promise<void> {
    await this.transcripts.insertMany(
      records.map((record) => ({ ...record, tenantId })),
      { lean: true },
    );
  }

  /** Number of the tenant's transcripts that are queued or being processed. */
  countQueued(tenantId: string): Promise<number> {
    return this.transcripts.countDocuments({ tenantId, status: 'queued' }).exec();
  }

  /** The backlog of all tenants. */
  async waiting(now: Date): Promise<Waiting> {
    const all = { queuedAt: { $gt: UNCLAIMED } };
    const oldest = await this.transcripts
      .findOne(all, { _id: 0, queuedAt: 1 })
      .sort({ queuedAt: 1 })
      .lean<Pick<QueuedTranscript, 'queuedAt'>>()
      .exec();
    if (!oldest) return { count: 0, claimed: new Map(), oldest: undefined };
    const count = await this.transcripts.countDocuments(all).exec();
    const claimed = await this.transcripts
      .aggregate<{ _id: string; count: number }>([
        { $match: { ...all, claimedUntil: { $gt: now } } },
        { $group: { _id: '$tenantId', count: { $sum: 1 } } },
      ])
      .exec();
    return {
      count,
      claimed: new Map(claimed.map((ofTenant) => [ofTenant._id, ofTenant.count])),
      oldest: oldest.queuedAt,
    };
  }

  /** Up to `limit` unclaimed transcripts of all tenants but those in `except`, oldest first. */
  claimable(now: Date, limit: number, except: readonly string[] = []): Promise<WaitingTranscript[]> {
    return (
      this.transcripts
        .find(
          {
            queuedAt: { $gt: UNCLAIMED },
            claimedUntil: { $lte: now },
            ...(except.length > 0 && { tenantId: { $nin: [...except] } }),
          },
          { tenantId: 1, queuedAt: 1 },
        )
        .sort({ queuedAt: 1 })
        .limit(limit)
        // Returns all of them in one response.
        .batchSize(limit)
        .lean<WaitingTranscript[]>()
        .exec()
    );
  }

  /** Claims those that no other worker has claimed in the meantime, and returns their number. */
  async claim(
    ids: readonly Types.ObjectId[],
    claim: string,
    { now, until }: { now: Date; until: Date },
  ): Promise<number> {
    const { modifiedCount } = await this.transcripts
      .updateMany(
        { _id: { $in: ids }, claimedUntil: { $lte: now } },
        { $set: { claim, claimedUntil: until }, $inc: { attempts: 1 } },
      )
      .exec();
    return modifiedCount;
  }

  /**
   * Reads claimed transcripts with their text until `maxBytes` of text is reached; at least one, if there is
   * any.
   */
  async claimed(
    ids: readonly Types.ObjectId[],
    claim: string,
    maxBytes: number,
  ): Promise<QueuedTranscript[]> {
    const rows: QueuedTranscript[] = [];
    let bytes = 0;
    const cursor = this.transcripts
      .find({ _id: { $in: ids }, claim })
      .lean<QueuedTranscript[]>()
      .cursor();
    for await (const row of cursor as AsyncIterable<QueuedTranscript>) {
      bytes += Buffer.byteLength(row.transcript);
      if (rows.length > 0 && bytes > maxBytes) break;
      rows.push(row);
    }
    return rows;
  }

  /** Extends claims until `until`. */
  async prolong(ids: readonly Types.ObjectId[], claim: string, until: Date): Promise<void> {
    await this.transcripts.updateMany({ _id: { $in: ids }, claim }, { $set: { claimedUntil: until } }).exec();
  }

  /** Releases claims. With `wasTried`, the failed attempt counts. */
  async release(
    ids: readonly Types.ObjectId[],
    claim: string,
    { wasTried }: { wasTried: boolean },
  ): Promise<void> {
    await this.transcripts
      .updateMany(
        { _id: { $in: ids }, claim },
        {
          $set: { claimedUntil: UNCLAIMED },
          $unset: { claim: 1 },
          ...(!wasTried && { $inc: { attempts: -1 } }),
        },
      )
      .exec();
  }

  /** Finishes those that the claim still holds, and returns their number. */
  async finish(
    tenantId: string,
    claim: string,
    outcomes: readonly Outcome[],
    { changeSeq, storedAt }: { changeSeq: number; storedAt: Date },
  ): Promise<number> {
    const queue = { queuedAt: 1, claimedUntil: 1, claim: 1, attempts: 1, isNamed: 1 } as const;
    const { matchedCount } = await this.transcripts.bulkWrite(
      outcomes.map(({ _id, status, error, model, vector }) => ({
        updateOne: {
          filter: { tenantId, _id, claim },
          update:
            status === 'stored'
              ? { $set: { status, model, vector, changeSeq, storedAt }, $unset: { ...queue, error: 1 } }
              : { $set: { status, error, changeSeq, storedAt }, $unset: queue },
        },
      })),
    );
    return matchedCount;
  }

  /** Ids of the rows written by a change. */
  async writtenBy(tenantId: string, changeSeq: number): Promise<Set<string>> {
    const rows = await this.transcripts
      .find({ tenantId, changeSeq }, { _id: 1 })
      .lean<Pick<TranscriptRecord, '_id'>[]>()
      .exec();
    return new Set(rows.map(({ _id }) => _id.toHexString()));
  }

  /** Deletes the rows that the claim still holds. */
  async discard(tenantId: string, claim: string, ids: readonly Types.ObjectId[]): Promise<void> {
    await this.transcripts.deleteMany({ tenantId, _id: { $in: ids }, claim }).exec();
  }

  /**
   * Queues those of the ids that are dead letters again, with their attempts reset, and returns their number.
   */
  async requeue(tenantId: string, ids: readonly Types.ObjectId[], queuedAt: Date): Promise<number> {
    const { modifiedCount } = await this.transcripts
      .updateMany(
        { tenantId, _id: { $in: ids }, status: 'failed' },
        {
          $set: { status: 'queued', queuedAt, claimedUntil: UNCLAIMED, attempts: 0 },
          $unset: { storedAt: 1 },
        },
      )
      .exec();
    return modifiedCount;
  }

  /** Inserts the records that do not exist yet, and returns their number. */
  async insertMissing(records: readonly QueuedTranscript[]): Promise<number> {
    if (records.length === 0) return 0;
    try {
      const options = { lean: true, ordered: false, rawResult: true } as const;
      return (await this.transcripts.insertMany(records, options)).insertedCount;
    } catch (error) {
      if (!(error instanceof mongo.MongoBulkWriteError)) throw error;
      if ([error.writeErrors].flat().some(({ code }) => code !== 11000)) throw error;
      return error.insertedCount;
    }
  }

  /** Ids of the transcripts that closings of a conversation created. */
  async ofConversation(tenantId: string, participantId: string, conversationId: string): Promise<string[]> {
    const rows = await this.transcripts
      .find(
        {
          tenantId,
          participantId,
          'metadata.conversationId': conversationId,
          // Set by closings, but rarely by clients that send transcripts of their own.
          'metadata.omittedMessages': { $exists: true },
        },
        { _id: 1 },
      )
      .lean<Pick<TranscriptRecord, '_id'>[]>()
      .exec();
    return rows.map(({ _id }) => _id.toHexString());
  }

  /**
   * Deletes a row and stores a tombstone so that its id is not accepted again. Returns the row's status, or
   * undefined if it does not exist; then a tombstone is stored only with `isExpected`.
   */
  async delete(
    tenantId: string,
    id: Types.ObjectId,
    changeSeq: number,
    at: Date,
    { isExpected = false } = {},
  ): Promise<TranscriptRecord['status'] | undefined> {
    const row = await this.transcripts
      .findOneAndDelete({ tenantId, _id: id }, { projection: { status: 1 } })
      .lean<Pick<TranscriptRecord, 'status'>>()
      .exec();
    if (!row && !isExpected) return undefined;
    await this.tombstones
      .updateOne({ tenantId, transcriptId: id }, { $set: { changeSeq, at } }, { upsert: true })
      .exec();
    return row?.status;
  }

  find(tenantId: string, id: string): Promise<TranscriptRecord | null> {
    return this.transcripts
      .findOne({ tenantId, _id: new Types.ObjectId(id) }, withoutVector)
      .lean<TranscriptRecord>()
      .exec();
  }

  async exists(tenantId: string, id: Types.ObjectId): Promise<boolean> {
    return (await this.transcripts.exists({ tenantId, _id: id }).exec()) !== null;
  }

  findByExternalId(tenantId: string, externalId: string): Promise<TranscriptRecord | null> {
    return this.transcripts.findOne({ tenantId, externalId }, withoutVector).lean<TranscriptRecord>().exec();
  }

  findMany(tenantId: string, ids: readonly string[]): Promise<TranscriptRecord[]> {
    return this.transcripts
      .find({ tenantId, _id: { $in: ids.map((id) => new Types.ObjectId(id)) } }, withoutVector)
      .lean<TranscriptRecord[]>()
      .exec();
  }

  /** For aggregation stages that Mongoose does not support. Does not take part in transactions. */
  get collection(): AggregatedCollection {
    return this.transcripts.collection;
  }

  /** Dead letters with their list positions, newest first. */
  deadLetters(
    tenantId: string,
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<Pick<TranscriptRecord, '_id' | 'createdAt'>[]> {
    return this.transcripts
      .find({ tenantId, status: 'failed', ...afterCursor('createdAt', cursor) }, { _id: 1, createdAt: 1 })
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<Pick<TranscriptRecord, '_id' | 'createdAt'>[]>()
      .exec();
  }

  /** Stored transcripts and dead letters, newest first. */
  list(
    tenantId: string,
    { participantId, status }: TranscriptFilter,
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<FinishedTranscript[]> {
    const query: QueryFilter<TranscriptRecord> = {
      tenantId,
      ...(participantId !== undefined && { participantId }),
      ...(status !== undefined ? { status } : { storedAt: { $exists: true } }),
      ...afterCursor('createdAt', cursor),
    };
    return this.transcripts
      .find(query, withoutVector)
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<FinishedTranscript[]>()
      .exec();
  }

  /** Transcripts of a participant in any status, with their vectors, newest first. */
  ofParticipant(
    tenantId: string,
    participantId: string,
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<TranscriptRecord[]> {
    return this.transcripts
      .find({ tenantId, participantId, ...afterCursor('createdAt', cursor) })
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<TranscriptRecord[]>()
      .exec();
  }

  countOfParticipant(tenantId: string, participantId: string): Promise<number> {
    return this.transcripts.countDocuments({ tenantId, participantId }).exec();
  }

  /** Participants with a transcript after `after`, in order of their ids. Reads the index only. */
  async participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    const ids: string[] = [];
    while (ids.length < limit) {
      const next = await this.transcripts
        .findOne({ tenantId, participantId: { $gt: ids.at(-1) ?? after } }, { _id: 0, participantId: 1 })
        .sort({ participantId: 1 })
        .lean<Pick<TranscriptRecord, 'participantId'>>()
        .exec();
      if (!next) break;
      ids.push(next.participantId);
    }
    return ids;
  }

  /** Rows with a vector of the model and an id greater than `after`, ordered by id. */
  vectors(
    tenantId: string,
    model: string,
    after: string | undefined,
    limit: number,
  ): Promise<TranscriptRecord[]> {
    return this.transcripts
      .find(
        { tenantId, model, ...(after !== undefined && { _id: { $gt: new Types.ObjectId(after) } }) },
        { transcript: 0, summary: 0, metadata: 0 },
      )
      .sort({ _id: 1 })
      .limit(limit)
      .lean<TranscriptRecord[]>()
      .exec();
  }

  changedBetween(tenantId: string, after: number, upTo: number): Promise<TranscriptRecord[]> {
    return this.transcripts
      .find({ tenantId, changeSeq: { $gt: after, $lte: upTo } }, { transcript: 0, summary: 0, metadata: 0 })
      .lean<TranscriptRecord[]>()
      .exec();
  }

  /** Tenants that have had transcripts, ordered by id. */
  async tenants(after: string | undefined, limit: number): Promise<string[]> {
    const counters = await this.counters
      .find(after === undefined ? {} : { tenantId: { $gt: after } }, { tenantId: 1 })
      .sort({ tenantId: 1 })
      .limit(limit)
      .lean<Pick<CounterRecord, 'tenantId'>[]>()
      .exec();
    return counters.map(({ tenantId }) => tenantId);
  }

  /** The tenant's next model after `model`, ordered by name. */
  async nextModel(tenantId: string, model: string): Promise<string | undefined> {
    const row = await this.transcripts
      .findOne({ tenantId, model: { $gt: model } }, { model: 1 })
      .sort({ model: 1 })
      .lean<Pick<TranscriptRecord, 'model'>>()
      .exec();
    return row?.model;
  }

  countOfModel(tenantId: string, model: string): Promise<number> {
    return this.transcripts.countDocuments({ tenantId, model }).exec();
  }

  /** Texts of rows with a vector of the model and an id greater than `after`, ordered by id. */
  ofModel(
    tenantId: string,
    model: string,
    after: string | undefined,
    limit: number,
  ): Promise<EmbeddableRow[]> {
    return this.transcripts
      .find(
        { tenantId, model, ...(after !== undefined && { _id: { $gt: new Types.ObjectId(after) } }) },
        { transcript: 1, summary: 1 },
      )
      .sort({ _id: 1 })
      .limit(limit)
      .lean<EmbeddableRow[]>()
      .exec();
  }

  /** Replaces the vectors of rows that still have one of `from`, and returns their number. */
  async changeModel(
    tenantId: string,
    from: string,
    to: string,
    items: readonly { _id: Types.ObjectId; vector: mongo.Binary }[],
    changeSeq: number,
  ): Promise<number> {
    const { modifiedCount } = await this.transcripts.bulkWrite(
      items.map(({ _id, vector }) => ({
        updateOne: {
          filter: { tenantId, _id, model: from },
          update: { $set: { model: to, vector, changeSeq } },
        },
      })),
    );
    return modifiedCount;
  }

  deletedBetween(tenantId: string, after: number, upTo: number): Promise<TombstoneRecord[]> {
    return this.tombstones
      .find({ tenantId, changeSeq: { $gt: after, $lte: upTo } })
      .lean<TombstoneRecord[]>()
      .exec();
  }

  /** Tenants that have ever had a change, ordered by id. */
  async tenantsAfter(after: string, limit: number): Promise<string[]> {
    const rows = await this.counters
      .find({ tenantId: { $gt: after } }, { tenantId: 1, _id: 0 })
      .sort({ tenantId: 1 })
      .limit(limit)
      .lean<Pick<CounterRecord, 'tenantId'>[]>()
      .exec();
    return rows.map(({ tenantId }) => tenantId);
  }

  /** Tombstones older than `at`, oldest first. */
  oldTombstones(tenantId: string, at: Date, limit: number): Promise<TombstoneRecord[]> {
    return this.tombstones
      .find({ tenantId, at: { $lt: at } })
      .sort({ at: 1 })
      .limit(limit)
      .lean<TombstoneRecord[]>()
      .exec();
  }

  /**
   * Deletes tombstones and advances `forgottenSeq`, the number below which a cursor can no longer be served.
   * Must run in a transaction.
   */
  async forget(tenantId: string, tombstones: readonly TombstoneRecord[], before: Date): Promise<void> {
    const forgottenSeq = Math.max(...tombstones.map(({ changeSeq }) => changeSeq));
    await this.counters.updateOne({ tenantId }, { $max: { forgottenSeq } }).exec();
    const transcriptId = { $in: tombstones.map((tombstone) => tombstone.transcriptId) };
    await this.tombstones.deleteMany({ tenantId, transcriptId, at: { $lt: before } }).exec();
  }
}
