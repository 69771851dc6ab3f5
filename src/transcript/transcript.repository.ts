import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type mongo, type QueryFilter, Types } from 'mongoose';
import type { DateIdCursor } from '../common/index.js';
import type { AggregatedCollection } from './search/server-vector-search.js';
import {
  COUNTER_MODEL,
  type CounterRecord,
  TOMBSTONE_MODEL,
  type TombstoneRecord,
  TRANSCRIPT_MODEL,
  type TranscriptRecord,
} from './transcript.schema.js';

export interface TranscriptFilter {
  participantId?: string | undefined;
  status?: TranscriptRecord['status'] | undefined;
}

/** A row with what is embedded. */
export type EmbeddableRow = Pick<TranscriptRecord, '_id' | 'transcript' | 'summary'>;
/** What a change adds to the counters of its tenant. */
export type Tally = Partial<Record<'stored' | 'dead' | 'failures' | 'batches' | 'batched', number>>;

const before = ({ date, id }: DateIdCursor): QueryFilter<TranscriptRecord> => ({
  createdAt: { $lte: date },
  $or: [{ createdAt: { $lt: date } }, { _id: { $lt: new Types.ObjectId(id) } }],
});

const withoutVector = { vector: 0 } as const;

@Injectable()
export class TranscriptRepository {
  constructor(
    @InjectModel(TRANSCRIPT_MODEL) private readonly transcripts: Model<TranscriptRecord>,
    @InjectModel(COUNTER_MODEL) private readonly counters: Model<CounterRecord>,
    @InjectModel(TOMBSTONE_MODEL) private readonly tombstones: Model<TombstoneRecord>,
  ) {}

  /**
   * Takes the number of the tenant's next change. To be the first write of its transaction: others of the tenant wait, so that changes become
   * visible in the order of their numbers.
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

  /** Adds to the counters within the change that `nextChange` began. */
  async count(tenantId: string, tally: Tally): Promise<void> {
    await this.counters.updateOne({ tenantId }, { $inc: tally }).exec();
  }

  counter(tenantId: string): Promise<CounterRecord | null> {
    return this.counters.findOne({ tenantId }).lean<CounterRecord>().exec();
  }

  /** Of these ids, those that are stored or were deleted. */
  async known(tenantId: string, ids: readonly Types.ObjectId[]): Promise<Set<string>> {
    const stored = await this.transcripts
      .find({ tenantId, _id: { $in: ids } }, { _id: 1 })
      .lean<Pick<TranscriptRecord, '_id'>[]>()
      .exec();
    const deleted = await this.tombstones
      .find({ tenantId, transcriptId: { $in: ids } }, { transcriptId: 1 })
      .lean<Pick<TombstoneRecord, 'transcriptId'>[]>()
      .exec();
    return new Set([
      ...stored.map(({ _id }) => _id.toHexString()),
      ...deleted.map(({ transcriptId }) => transcriptId.toHexString()),
    ]);
  }

  async insert(tenantId: string, records: readonly Omit<TranscriptRecord, 'tenantId'>[]): Promise<void> {
    await this.transcripts.insertMany(
      records.map((record) => ({ ...record, tenantId })),
      { lean: true },
    );
  }

  /** Whether there is a tombstone. */
  async isDeleted(tenantId: string, id: string): Promise<boolean> {
    const transcriptId = new Types.ObjectId(id);
    return (await this.tombstones.exists({ tenantId, transcriptId }).exec()) !== null;
  }

  /** Of these ids, the dead letters. */
  async dead(tenantId: string, ids: readonly Types.ObjectId[]): Promise<Set<string>> {
    const rows = await this.transcripts
      .find({ tenantId, _id: { $in: ids }, status: 'failed' }, { _id: 1 })
      .lean<Pick<TranscriptRecord, '_id'>[]>()
      .exec();
    return new Set(rows.map(({ _id }) => _id.toHexString()));
  }

  /** Dead letters after another try, which they passed or failed. */
  async replaceDead(tenantId: string, records: readonly Omit<TranscriptRecord, 'tenantId'>[]): Promise<void> {
    await this.transcripts.bulkWrite(
      records.map(({ _id, status, error, model, vector, changeSeq, storedAt }) => ({
        updateOne: {
          filter: { tenantId, _id, status: 'failed' },
          update:
            status === 'stored'
              ? { $set: { status, model, vector, changeSeq, storedAt }, $unset: { error: 1 } }
              : { $set: { error, changeSeq, storedAt } },
        },
      })),
    );
  }

  /** Deletes a row, if there is one, and keeps it from coming back out of a journal; answers what its status was. */
  async delete(
    tenantId: string,
    id: Types.ObjectId,
    changeSeq: number,
    at: Date,
  ): Promise<TranscriptRecord['status'] | undefined> {
    const row = await this.transcripts
      .findOneAndDelete({ tenantId, _id: id }, { projection: { status: 1 } })
      .lean<Pick<TranscriptRecord, 'status'>>()
      .exec();
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

  findMany(tenantId: string, ids: readonly string[]): Promise<TranscriptRecord[]> {
    return this.transcripts
      .find({ tenantId, _id: { $in: ids.map((id) => new Types.ObjectId(id)) } }, withoutVector)
      .lean<TranscriptRecord[]>()
      .exec();
  }

  /** For stages that the server alone understands; takes part in no transaction. */
  get collection(): AggregatedCollection {
    return this.transcripts.collection;
  }

  /** Where dead letters stand in their list, newest first. */
  deadLetters(
    tenantId: string,
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<Pick<TranscriptRecord, '_id' | 'createdAt'>[]> {
    return this.transcripts
      .find({ tenantId, status: 'failed', ...(cursor && before(cursor)) }, { _id: 1, createdAt: 1 })
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<Pick<TranscriptRecord, '_id' | 'createdAt'>[]>()
      .exec();
  }

  /** Newest first. */
  list(
    tenantId: string,
    { participantId, status }: TranscriptFilter,
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<TranscriptRecord[]> {
    const query: QueryFilter<TranscriptRecord> = {
      tenantId,
      ...(participantId !== undefined && { participantId }),
      ...(status !== undefined && { status }),
      ...(cursor && before(cursor)),
    };
    return this.transcripts
      .find(query, withoutVector)
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<TranscriptRecord[]>()
      .exec();
  }

  /** Rows with a vector of the model and an id above `after`, in the order of ids. */
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

  /** Tenants that have had transcripts, in the order of their ids. */
  async tenants(after: string | undefined, limit: number): Promise<string[]> {
    const counters = await this.counters
      .find(after === undefined ? {} : { tenantId: { $gt: after } }, { tenantId: 1 })
      .sort({ tenantId: 1 })
      .limit(limit)
      .lean<Pick<CounterRecord, 'tenantId'>[]>()
      .exec();
    return counters.map(({ tenantId }) => tenantId);
  }

  /** The first of the tenant's models after `model`, by name. */
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

  /** Texts of rows with a vector of the model and an id above `after`, in the order of ids. */
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

  /** Gives rows that still have a vector of `from` another one; answers how many those were. */
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

  /** Tenants that ever had a change, in the order of their ids. */
  async tenantsAfter(after: string, limit: number): Promise<string[]> {
    const rows = await this.counters
      .find({ tenantId: { $gt: after } }, { tenantId: 1, _id: 0 })
      .sort({ tenantId: 1 })
      .limit(limit)
      .lean<Pick<CounterRecord, 'tenantId'>[]>()
      .exec();
    return rows.map(({ tenantId }) => tenantId);
  }

  /** Tombstones from before a time, oldest first. */
  oldTombstones(tenantId: string, at: Date, limit: number): Promise<TombstoneRecord[]> {
    return this.tombstones
      .find({ tenantId, at: { $lt: at } })
      .sort({ at: 1 })
      .limit(limit)
      .lean<TombstoneRecord[]>()
      .exec();
  }

  /** Deletes tombstones, and raises the number below which a cursor cannot be served any more. Within one transaction. */
  async forget(tenantId: string, tombstones: readonly TombstoneRecord[], before: Date): Promise<void> {
    const forgottenSeq = Math.max(...tombstones.map(({ changeSeq }) => changeSeq));
    await this.counters.updateOne({ tenantId }, { $max: { forgottenSeq } }).exec();
    const transcriptId = { $in: tombstones.map((tombstone) => tombstone.transcriptId) };
    await this.tombstones.deleteMany({ tenantId, transcriptId, at: { $lt: before } }).exec();
  }
}
