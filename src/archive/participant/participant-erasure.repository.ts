import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import type { Counts } from './participant-data.js';
import {
  indexOfPending,
  PARTICIPANT_ERASURE_MODEL,
  type ParticipantErasureRecord,
} from './participant-erasure.schema.js';

export type PendingErasure = Pick<
  ParticipantErasureRecord,
  'tenantId' | 'participantHash' | 'participantId' | 'erasedAt'
>;

@Injectable()
export class ParticipantErasureRepository {
  constructor(
    @InjectModel(PARTICIPANT_ERASURE_MODEL) private readonly erasures: Model<ParticipantErasureRecord>,
  ) {}

  /** Stores that the participant is being erased, instead of an earlier erasure. */
  async begin({ tenantId, participantHash, participantId, erasedAt }: PendingErasure): Promise<void> {
    await this.erasures
      .updateOne(
        { tenantId, participantHash },
        { $set: { state: 'pending', erasedAt, participantId }, $unset: { removed: 1 } },
        { upsert: true },
      )
      .exec();
  }

  /** Ends a pending erasure, and removes the id of the participant. */
  async end(tenantId: string, participantHash: string, erasedAt: Date, removed: Counts): Promise<void> {
    await this.erasures
      .updateOne(
        { tenantId, participantHash, state: 'pending' },
        { $set: { state: 'done', erasedAt, removed }, $unset: { participantId: 1 } },
      )
      .exec();
  }

  /** The erasures of these participants, done or pending, in no particular order. */
  of(
    tenantId: string,
    participantHashes: readonly string[],
  ): Promise<Pick<ParticipantErasureRecord, 'participantHash' | 'erasedAt'>[]> {
    return this.erasures
      .find(
        { tenantId, participantHash: { $in: [...participantHashes] } },
        { _id: 0, participantHash: 1, erasedAt: 1 },
      )
      .lean<Pick<ParticipantErasureRecord, 'participantHash' | 'erasedAt'>[]>()
      .exec();
  }

  /** Erasures of all tenants that are not done. */
  pending(limit: number): Promise<PendingErasure[]> {
    return (
      this.erasures
        .find({ tenantId: { $gt: '' }, state: 'pending' })
        // With the other index, the erasures that are done would be read as well.
        .hint(indexOfPending)
        .limit(limit)
        .lean<PendingErasure[]>()
        .exec()
    );
  }
}
