import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type mongo, type QueryFilter, Types } from 'mongoose';
import type { DateIdCursor } from '../common/index.js';
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
  async nextChange(tenantId: string): Promise<number> {
    const { seq } = await this.counters
      .findOneAndUpdate(
        { tenantId },
        { $inc: { seq: 1 }, $setOnInsert: { forgottenSeq: 0 } },
        { upsert: true, returnDocument: 'after' },
      )
      .lean<CounterRecord>()
      .orFail()
      .exec();
    return seq;
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

  /** Deletes a row, if there is one, and keeps it from coming back out of a journal. */
  async delete(tenantId: string, id: Types.ObjectId, changeSeq: number, at: Date): Promise<boolean> {
    const { deletedCount } = await this.transcripts.deleteOne({ tenantId, _id: id }).exec();
    await this.tombstones
      .updateOne({ tenantId, transcriptId: id }, { $set: { changeSeq, at } }, { upsert: true })
      .exec();
    return deletedCount === 1;
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
      ...(cursor && {
        createdAt: { $lte: cursor.date },
        $or: [{ createdAt: { $lt: cursor.date } }, { _id: { $lt: new Types.ObjectId(cursor.id) } }],
      }),
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
}
