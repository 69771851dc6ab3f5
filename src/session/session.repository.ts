import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, Types } from 'mongoose';
import { BatchedReads, duplicateKeyFields, type PointReads } from '../database/index.js';
import { deepFreeze } from './json.js';
import { SESSION_MODEL, type SessionRecord } from './session.schema.js';
import type { SessionState } from './session.types.js';

/** A state that is to be stored: it has its id. */
export type StoredState = SessionState & { readonly id: string };

export type DeletedSession = Pick<StoredState, 'id' | 'createdAt'>;

@Injectable()
export class SessionRepository {
  private readonly byParticipant: PointReads<SessionRecord>;

  constructor(
    @InjectModel(SESSION_MODEL) private readonly sessions: Model<SessionRecord>,
    reads: BatchedReads,
  ) {
    this.byParticipant = reads.byField(sessions.collection.collectionName, 'participantId');
  }

  async find(tenantId: string, participantId: string): Promise<StoredState | null> {
    const record = await this.byParticipant.find(tenantId, participantId);
    return record && toState(record);
  }

  /** Stores a first version; false when there is a session already. */
  async insert(tenantId: string, state: StoredState): Promise<boolean> {
    const { id, conversationId, ...rest } = state;
    try {
      await this.sessions.insertOne({
        ...rest,
        tenantId,
        _id: new Types.ObjectId(id),
        conversationId: toObjectId(conversationId),
      });
      return true;
    } catch (error) {
      if (duplicateKeyFields(error)) return false;
      throw error;
    }
  }

  /**
   * Stores `state` when the stored session still has `expectedVersion`; false when it has another or is gone. The id is
   * compared as well: a session that was deleted and made anew may have reached the same version.
   */
  async compareAndSet(tenantId: string, state: StoredState, expectedVersion: number): Promise<boolean> {
    const { id, participantId, version, activeGoals, context, conversationId, updatedAt, expiresAt } = state;
    const { matchedCount } = await this.sessions
      .updateOne(
        { tenantId, participantId, _id: new Types.ObjectId(id), version: expectedVersion },
        {
          $set: {
            version,
            activeGoals,
            context,
            conversationId: toObjectId(conversationId),
            updatedAt,
            expiresAt,
          },
        },
      )
      .exec();
    return matchedCount === 1;
  }

  /** The session that was deleted; null when there was none. */
  async delete(tenantId: string, participantId: string): Promise<DeletedSession | null> {
    const record = await this.sessions
      .findOneAndDelete({ tenantId, participantId }, { projection: { createdAt: 1 } })
      .lean<Pick<SessionRecord, '_id' | 'createdAt'>>()
      .exec();
    return record && { id: record._id.toHexString(), createdAt: record.createdAt };
  }
}

const toObjectId = (id: string | null): Types.ObjectId | null =>
  id === null ? null : new Types.ObjectId(id);

const toState = ({ _id, conversationId, activeGoals, context, ...rest }: SessionRecord): StoredState =>
  Object.freeze({
    ...rest,
    id: _id.toHexString(),
    activeGoals: deepFreeze(activeGoals),
    context: deepFreeze(context),
    conversationId: conversationId?.toHexString() ?? null,
  });
