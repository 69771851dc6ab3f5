import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type QueryFilter, Types } from 'mongoose';
import { afterCursor, BatchedReads, type PointReads } from '../database/index.js';
import type { DateIdCursor, IdCursor } from '../http/index.js';
import { CONVERSATION_MODEL, type ConversationRecord, indexByUpdate } from './conversation.schema.js';

export interface ConversationFilter {
  participantId?: string | undefined;
  channel?: string | undefined;
  isActive?: boolean | undefined;
}

export interface Erasure {
  tenantId: string;
  conversationId: Types.ObjectId;
}

type ActivityRow = Pick<ConversationRecord, 'participantId' | 'lastMessageAt' | 'createdAt'>;

export interface ParticipantActivity {
  participantId: string;
  /** Number of conversations. */
  conversations: number;
  /** The last message, or the creation of a conversation without messages. */
  lastActivityAt: Date;
}

/** Number of index entries read per query for a list of participants. */
const READ_AT_ONCE = 500;

const newestFirst = { _id: -1 } as const;
const lastWrittenFirst = { updatedAt: -1, _id: -1 } as const;

/**
 * Matches both values. It is used where `isActive` precedes the sort key in an index, so that the server
 * merges two index scans.
 */
const openOrClosed = { $in: [true, false] };

/** Not being erased. */
const notErased = { erasedAt: { $exists: false } } as const;

@Injectable()
export class ConversationRepository {
  private readonly byId: PointReads<ConversationRecord>;

  constructor(
    @InjectModel(CONVERSATION_MODEL) private readonly conversations: Model<ConversationRecord>,
    reads: BatchedReads,
  ) {
    this.byId = reads.byField(conversations.collection.collectionName, '_id');
  }

  async find(tenantId: string, id: string): Promise<ConversationRecord | null> {
    const found = await this.findEvenErased(tenantId, id);
    return found?.erasedAt === undefined ? found : null;
  }

  /** Also returns a conversation that is being erased. */
  findEvenErased(tenantId: string, id: string): Promise<ConversationRecord | null> {
    return this.byId.find(tenantId, new Types.ObjectId(id));
  }

  /** Returns the most recently created active conversation of a participant on a channel. */
  async latestActive(
    tenantId: string,
    participantId: string,
    channel: string,
  ): Promise<ConversationRecord | null> {
    return this.conversations
      .findOne({ tenantId, participantId, channel, isActive: true, ...notErased })
      .sort(newestFirst)
      .lean<ConversationRecord>()
      .exec();
  }

  /**
   * Returns up to `limit` rows after `cursor`, newest first. A row's position in this order never changes.
   */
  async list(
    tenantId: string,
    { participantId, channel, isActive }: ConversationFilter,
    limit: number,
    cursor?: IdCursor,
  ): Promise<ConversationRecord[]> {
    const hasOrderWithinChannel = channel !== undefined && participantId === undefined;
    const query: QueryFilter<ConversationRecord> = {
      tenantId,
      ...(participantId !== undefined && { participantId }),
      ...(channel !== undefined && { channel }),
      ...(isActive !== undefined ? { isActive } : !hasOrderWithinChannel && { isActive: openOrClosed }),
      ...notErased,
      ...(cursor && { _id: { $lt: new Types.ObjectId(cursor.id) } }),
    };
    return this.conversations.find(query).sort(newestFirst).limit(limit).lean<ConversationRecord[]>().exec();
  }

  /**
   * Returns up to `limit` rows after `cursor`, last updated first. A row moves with every update. The
   * conversations of one participant are sorted in memory; those of one channel are filtered from all
   * conversations.
   */
  async listByUpdate(
    tenantId: string,
    { participantId, channel, isActive }: ConversationFilter,
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<ConversationRecord[]> {
    const query = this.conversations
      .find({
        tenantId,
        ...(participantId !== undefined && { participantId }),
        ...(channel !== undefined && { channel }),
        isActive: isActive ?? openOrClosed,
        ...notErased,
        ...afterCursor('updatedAt', cursor),
      })
      .sort(lastWrittenFirst)
      .limit(limit);
    // With the channel's index, all conversations of the channel would have to be sorted.
    if (channel !== undefined && participantId === undefined) query.hint(indexByUpdate);
    return query.lean<ConversationRecord[]>().exec();
  }

  /**
   * Participants after `after`, in order of their ids: up to `limit`, and one at least if there is one. Reads
   * the index only.
   */
  async participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    const ids = new Set<string>();
    for (let last = after; ids.size < limit;) {
      const rows = await this.conversations
        .find({ tenantId, participantId: { $gt: last } }, { _id: 0, participantId: 1 })
        .sort({ participantId: 1 })
        .limit(READ_AT_ONCE)
        .lean<Pick<ConversationRecord, 'participantId'>[]>()
        .exec();
      for (const { participantId } of rows) ids.add(participantId);
      if (rows.length < READ_AT_ONCE) break;
      // The next read begins after all further conversations of this participant.
      last = rows.at(-1)?.participantId ?? last;
    }
    return [...ids].slice(0, limit);
  }

  /** The activity of those participants who have a conversation, in no particular order. */
  async activityOf(tenantId: string, participantIds: readonly string[]): Promise<ParticipantActivity[]> {
    const found = new Map<string, ParticipantActivity>();
    const rows = this.conversations
      .find(
        { tenantId, participantId: { $in: [...participantIds] }, ...notErased },
        { participantId: 1, lastMessageAt: 1, createdAt: 1 },
      )
      .lean<ActivityRow[]>()
      .cursor();
    for await (const row of rows as AsyncIterable<ActivityRow>) {
      const { participantId, createdAt, lastMessageAt = createdAt } = row;
      const known = found.get(participantId);
      const isLater = !known || lastMessageAt > known.lastActivityAt;
      found.set(participantId, {
        participantId,
        conversations: (known?.conversations ?? 0) + 1,
        lastActivityAt: isLater ? lastMessageAt : known.lastActivityAt,
      });
    }
    return [...found.values()];
  }

  /** Of a participant, including those that are being erased, after the id `after`, in order of their ids. */
  async ofParticipant(
    tenantId: string,
    participantId: string,
    limit: number,
    after?: Types.ObjectId,
  ): Promise<ConversationRecord[]> {
    return this.conversations
      .find({ tenantId, participantId, isActive: openOrClosed, ...(after && { _id: { $gt: after } }) })
      .sort({ _id: 1 })
      .limit(limit)
      .lean<ConversationRecord[]>()
      .exec();
  }

  /**
   * Allows the messages of a conversation that was not restored to the end to be deleted. Returns false if its
   * restoring has gone on since it was read.
   */
  async abandonRestore({ tenantId, _id, erasedAt }: ConversationRecord): Promise<boolean> {
    const { matchedCount } = await this.conversations
      .updateOne({ tenantId, _id, erasedAt, isRestoring: true }, { $unset: { isRestoring: 1 } })
      .exec();
    return matchedCount === 1;
  }

  async deleteErased(tenantId: string, id: Types.ObjectId): Promise<void> {
    await this.conversations.deleteOne({ tenantId, _id: id, erasedAt: { $exists: true } }).exec();
  }

  /** Ids of the tenant's conversations that are being erased: few, and only briefly. */
  async erasing(tenantId: string): Promise<Types.ObjectId[]> {
    const rows = await this.conversations
      .find({ tenantId, erasedAt: { $exists: true } }, { _id: 1 })
      .lean<Pick<ConversationRecord, '_id'>[]>()
      .exec();
    return rows.map(({ _id }) => _id);
  }

  /** Unfinished erasures of all tenants that began before `before`, except those with their participants. */
  async unfinishedErasures(before: Date, limit: number): Promise<Erasure[]> {
    const rows = await this.conversations
      .find(
        {
          tenantId: { $gt: '' },
          erasedAt: { $exists: true, $lt: before },
          isWithParticipant: { $exists: false },
        },
        { tenantId: 1 },
      )
      .limit(limit)
      .lean<Pick<ConversationRecord, '_id' | 'tenantId'>[]>()
      .exec();
    return rows.map(({ tenantId, _id }) => ({ tenantId, conversationId: _id }));
  }
}
