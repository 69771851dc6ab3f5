import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model, Types } from 'mongoose';
import { beforeAndAfter, type DueRoot } from '../database/index.js';
import {
  type FinishedTranscript,
  TOMBSTONE_MODEL,
  type TombstoneRecord,
  TRANSCRIPT_MODEL,
  type TranscriptRecord,
} from './transcript.schema.js';

/** The state of a finished transcript that was archived. */
export type TranscriptVersion = Pick<FinishedTranscript, '_id' | 'status' | 'changeSeq'>;

/** The queries with which transcripts are moved to an archive. */
@Injectable()
export class TranscriptArchiveRepository {
  constructor(
    @InjectModel(TRANSCRIPT_MODEL) private readonly transcripts: Model<TranscriptRecord>,
    @InjectModel(TOMBSTONE_MODEL) private readonly tombstones: Model<TombstoneRecord>,
  ) {}

  /** Finished transcripts created before `before`, oldest first. */
  async finished(
    tenantId: string,
    before: Date,
    after: DueRoot | undefined,
    limit: number,
  ): Promise<DueRoot[]> {
    const rows = await this.transcripts
      .find(
        {
          tenantId,
          status: { $in: ['stored', 'failed'] },
          ...beforeAndAfter('createdAt', before, after),
        },
        { createdAt: 1 },
      )
      .sort({ createdAt: 1, _id: 1 })
      .limit(limit)
      .hint({ tenantId: 1, status: 1, createdAt: -1, _id: -1 })
      .lean<Pick<TranscriptRecord, '_id' | 'createdAt'>[]>()
      .exec();
    return rows.map(({ _id, createdAt }) => ({ id: _id, at: createdAt }));
  }

  count(tenantId: string): Promise<number> {
    return this.transcripts.countDocuments({ tenantId }).exec();
  }

  /**
   * Deletes a transcript if it has not changed, and stores a tombstone for the indexes in memory. Returns
   * whether it did.
   */
  async deleteUnchanged(
    tenantId: string,
    { _id, status, changeSeq }: TranscriptVersion,
    deletion: { changeSeq: number; at: Date },
  ): Promise<boolean> {
    const { deletedCount } = await this.transcripts
      .deleteOne({ tenantId, _id, status, changeSeq: changeSeq ?? { $exists: false } })
      .exec();
    if (deletedCount === 0) return false;
    await this.tombstones
      .updateOne({ tenantId, transcriptId: _id }, { $set: deletion }, { upsert: true })
      .exec();
    return true;
  }

  /** Allows deleted transcripts to be stored again. */
  async forgetDeletion(tenantId: string, ids: readonly Types.ObjectId[]): Promise<void> {
    await this.tombstones.deleteMany({ tenantId, transcriptId: { $in: ids } }).exec();
  }
}
