import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, Types } from 'mongoose';
import { BatchedReads, type PointReads, type UnitWriter } from '../database/index.js';
import { deepFreeze } from '../common/index.js';
import { SessionConflictError } from './session.errors.js';
import { SESSION_COLLECTION as COLLECTION, SESSION_MODEL, type SessionRecord } from './session.schema.js';
import type { SessionState } from './session.types.js';

/** A state that has an id, so it can be stored. */
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

  /**
   * Adds the write of `next` to a unit of work: an insert if `previous` is null, otherwise an update of
   * `previous`.
   */
  write(writer: UnitWriter, next: StoredState, previous: StoredState | null): void {
    const { id, tenantId, participantId, conversationId, ...rest } = next;
    const _id = new Types.ObjectId(id);
    if (!previous) {
      const record = { ...rest, _id, tenantId, participantId, conversationId: toObjectId(conversationId) };
      writer.insert(COLLECTION, record, { unique: 'participantId' });
      return;
    }
    const { version, activeGoals, context, updatedAt, expiresAt } = rest;
    writer.compareAndSet({
      collection: COLLECTION,
      tenantId,
      id: _id,
      // The participant and id are checked as well as the version: a session that was deleted and created
      // again may have the same version.
      guard: { participantId, version: previous.version },
      set: {
        version,
        activeGoals,
        context,
        conversationId: toObjectId(conversationId),
        updatedAt,
        expiresAt,
      },
      mismatch: () => new SessionConflictError(participantId),
    });
  }

  /**
   * Deletes the session, or only the version of it in `expected`. Returns null if that does not exist, or had
   * expired at `now`.
   */
  async delete(
    tenantId: string,
    participantId: string,
    now: Date,
    expected?: SessionState,
  ): Promise<DeletedSession | null> {
    const version = expected && {
      _id: new Types.ObjectId(expected.id ?? undefined),
      version: expected.version,
    };
    const record = await this.sessions
      .findOneAndDelete(
        { tenantId, participantId, ...version },
        { projection: { createdAt: 1, expiresAt: 1 } },
      )
      .lean<Pick<SessionRecord, '_id' | 'createdAt' | 'expiresAt'>>()
      .exec();
    if (!record || record.expiresAt <= now) return null;
    return { id: record._id.toHexString(), createdAt: record.createdAt };
  }

  /** Participants of the tenant with a session: up to `limit`, in no particular order. */
  async participants(tenantId: string, limit: number): Promise<string[]> {
    const rows = await this.sessions
      .find({ tenantId }, { participantId: 1 })
      .limit(limit)
      .lean<Pick<SessionRecord, 'participantId'>[]>()
      .exec();
    return rows.map(({ participantId }) => participantId);
  }

  /** Participants with a session after `after`, in order of their ids. */
  async participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    const rows = await this.sessions
      .find({ tenantId, participantId: { $gt: after } }, { _id: 0, participantId: 1 })
      .sort({ participantId: 1 })
      .limit(limit)
      .lean<Pick<SessionRecord, 'participantId'>[]>()
      .exec();
    return rows.map(({ participantId }) => participantId);
  }

  /** Deletes the session if it had expired at `now`. */
  async deleteExpired(tenantId: string, participantId: string, now: Date): Promise<void> {
    await this.sessions.deleteOne({ tenantId, participantId, expiresAt: { $lte: now } }).exec();
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
