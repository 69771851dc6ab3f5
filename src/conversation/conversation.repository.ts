import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type QueryFilter, Types } from 'mongoose';
import type { DateIdCursor, IdCursor } from '../common/index.js';
import { BatchedReads, type PointReads } from '../database/index.js';
import {
  type ClosingRecord,
  CONVERSATION_MODEL,
  type ConversationRecord,
  indexByUpdate,
} from './conversation.schema.js';

export interface ConversationFilter {
  participantId?: string | undefined;
  channel?: string | undefined;
  isActive?: boolean | undefined;
}

/** What a conversation may be asked to be, beside alive, before messages are added to it. */
export interface ReserveCondition {
  participantId?: string;
  channel?: string;
  isActive?: true;
}

export interface Erasure {
  tenantId: string;
  conversationId: Types.ObjectId;
}

const newestFirst = { _id: -1 } as const;
const lastWrittenFirst = { updatedAt: -1, _id: -1 } as const;

/** Rows after `cursor`, the last written first. An index can use the bound on the date; the rest settles equal dates. */
const writtenBefore = ({ date, id }: DateIdCursor): QueryFilter<ConversationRecord> => ({
  updatedAt: { $lte: date },
  $or: [{ updatedAt: { $lt: date } }, { updatedAt: date, _id: { $lt: new Types.ObjectId(id) } }],
});

/** Both values, where an index has the field before its order: the server then merges the two runs of the index. */
const openOrClosed = { $in: [true, false] };

/** Alive: not being erased. */
const alive = { erasedAt: { $exists: false } } as const;

@Injectable()
export class ConversationRepository {
  private readonly byId: PointReads<ConversationRecord>;

  constructor(
    @InjectModel(CONVERSATION_MODEL) private readonly conversations: Model<ConversationRecord>,
    reads: BatchedReads,
  ) {
    this.byId = reads.byField(conversations.collection.collectionName, '_id');
  }

  async insert(
    tenantId: string,
    conversation: Omit<ConversationRecord, 'tenantId'>,
  ): Promise<ConversationRecord> {
    const record: ConversationRecord = { ...conversation, tenantId };
    await this.conversations.insertMany([record], { lean: true });
    return record;
  }

  async find(tenantId: string, id: string): Promise<ConversationRecord | null> {
    const found = await this.findEvenErased(tenantId, id);
    return found?.erasedAt === undefined ? found : null;
  }

  /** Also one that is being erased. */
  findEvenErased(tenantId: string, id: string): Promise<ConversationRecord | null> {
    return this.byId.find(tenantId, new Types.ObjectId(id));
  }

  /** The active conversation of a participant on a channel that was created last. */
  async latestActive(
    tenantId: string,
    participantId: string,
    channel: string,
  ): Promise<ConversationRecord | null> {
    return this.conversations
      .findOne({ tenantId, participantId, channel, isActive: true, ...alive })
      .sort(newestFirst)
      .lean<ConversationRecord>()
      .exec();
  }

  /** Up to `limit` rows after `cursor`, the last created first. Neither the order nor a row's position in it ever changes. */
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
      ...alive,
      ...(cursor && { _id: { $lt: new Types.ObjectId(cursor.id) } }),
    };
    return this.conversations.find(query).sort(newestFirst).limit(limit).lean<ConversationRecord[]>().exec();
  }

  /**
   * Up to `limit` rows after `cursor`, the last written first: a row moves with each write. The conversations of one participant are
   * sorted in memory; those of a channel are filtered out of all.
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
        ...alive,
        ...(cursor && writtenBefore(cursor)),
      })
      .sort(lastWrittenFirst)
      .limit(limit);
    // By the channel's index, all conversations of the channel would be sorted.
    if (channel !== undefined && participantId === undefined) query.hint(indexByUpdate);
    return query.lean<ConversationRecord[]>().exec();
  }

  /** Changes fields of a conversation and answers it as it is then; null when there is none. */
  async update(
    tenantId: string,
    id: string,
    changes: Partial<Pick<ConversationRecord, 'isActive' | 'metadata'>> & { title?: string | null },
    now: Date,
  ): Promise<ConversationRecord | null> {
    const { title, ...others } = changes;
    const unset = {
      ...(title === null && { title: 1 as const }),
      ...(others.isActive === true && { closedAt: 1 as const }),
    };
    return this.conversations
      .findOneAndUpdate(
        { tenantId, _id: new Types.ObjectId(id), ...alive },
        {
          $set: { ...others, ...(typeof title === 'string' && { title }), updatedAt: now },
          // $min: closed again, it is closed since the first time.
          ...(others.isActive === false && { $min: { closedAt: now } }),
          ...(Object.keys(unset).length > 0 && { $unset: unset }),
        },
        { returnDocument: 'after' },
      )
      .lean<ConversationRecord>()
      .exec();
  }

  /** Closes a conversation, notes what became of it, and answers it as it is then; null when there is none. */
  async close(
    tenantId: string,
    id: string,
    closing: ClosingRecord | undefined,
    now: Date,
  ): Promise<ConversationRecord | null> {
    return this.conversations
      .findOneAndUpdate(
        { tenantId, _id: new Types.ObjectId(id), ...alive },
        {
          $set: { isActive: false, updatedAt: now, ...(closing && { closing }) },
          $min: { closedAt: now },
        },
        { returnDocument: 'after' },
      )
      .lean<ConversationRecord>()
      .exec();
  }

  /**
   * Takes the next `count` places of a conversation: they are those up to the answer's `lastSeq`. Null when there is no such
   * conversation that meets the condition. To be called in the transaction that inserts the messages, so that two writers cannot
   * both have the places and an abort gives them back.
   */
  async reserve(
    tenantId: string,
    id: string,
    condition: ReserveCondition,
    count: number,
    now: Date,
    sessionId?: string | null,
  ): Promise<ConversationRecord | null> {
    return this.conversations
      .findOneAndUpdate(
        { tenantId, _id: new Types.ObjectId(id), ...condition, ...alive },
        {
          $inc: { lastSeq: count, messageCount: count },
          // $max: clocks of several processes differ, and times should not go back.
          $max: { updatedAt: now, lastMessageAt: now },
          ...(sessionId && { $set: { sessionId: new Types.ObjectId(sessionId) } }),
        },
        { returnDocument: 'after' },
      )
      .lean<ConversationRecord>()
      .exec();
  }

  /** Hides a conversation from every read and write from now on; false when there is none that is alive. */
  async markErased(tenantId: string, id: string, now: Date): Promise<boolean> {
    const { matchedCount } = await this.conversations
      .updateOne({ tenantId, _id: new Types.ObjectId(id), ...alive }, { $set: { erasedAt: now } })
      .exec();
    return matchedCount === 1;
  }

  async deleteErased(tenantId: string, id: Types.ObjectId): Promise<void> {
    await this.conversations.deleteOne({ tenantId, _id: id, erasedAt: { $exists: true } }).exec();
  }

  /** Conversations of the tenant whose erasure is under way: few, and for a short time. */
  async erasing(tenantId: string): Promise<Types.ObjectId[]> {
    const rows = await this.conversations
      .find({ tenantId, erasedAt: { $exists: true } }, { _id: 1 })
      .lean<Pick<ConversationRecord, '_id'>[]>()
      .exec();
    return rows.map(({ _id }) => _id);
  }

  /** Erasures of all tenants that began before `before` and are not finished. */
  async unfinishedErasures(before: Date, limit: number): Promise<Erasure[]> {
    const rows = await this.conversations
      .find({ tenantId: { $gt: '' }, erasedAt: { $exists: true, $lt: before } }, { tenantId: 1 })
      .limit(limit)
      .lean<Pick<ConversationRecord, '_id' | 'tenantId'>[]>()
      .exec();
    return rows.map(({ tenantId, _id }) => ({ tenantId, conversationId: _id }));
  }
}
