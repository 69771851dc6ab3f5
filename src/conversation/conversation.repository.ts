import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type QueryFilter, Types } from 'mongoose';
import type { DateIdCursor } from '../common/index.js';
import { CONVERSATION_MODEL, type ConversationRecord } from './conversation.schema.js';

export interface ConversationFilter {
  participantId?: string | undefined;
  channel?: string | undefined;
  isActive?: boolean | undefined;
}

export interface Erasure {
  tenantId: string;
  conversationId: Types.ObjectId;
}

const newestFirst = { updatedAt: -1, _id: -1 } as const;

/** Rows after `cursor`, newest first. The bound on the date alone is what an index can use; the rest settles equal dates. */
const afterCursor = (cursor: DateIdCursor | undefined): QueryFilter<ConversationRecord> =>
  cursor
    ? {
        updatedAt: { $lte: cursor.date },
        $or: [
          { updatedAt: { $lt: cursor.date } },
          { updatedAt: cursor.date, _id: { $lt: new Types.ObjectId(cursor.id) } },
        ],
      }
    : {};

const byNewest = (a: ConversationRecord, b: ConversationRecord): number =>
  b.updatedAt.getTime() - a.updatedAt.getTime() || b._id.toHexString().localeCompare(a._id.toHexString());

/** Alive: not being erased. */
const alive = { erasedAt: { $exists: false } } as const;

@Injectable()
export class ConversationRepository {
  constructor(@InjectModel(CONVERSATION_MODEL) private readonly conversations: Model<ConversationRecord>) {}

  async find(tenantId: string, id: string): Promise<ConversationRecord | null> {
    return this.conversations
      .findOne({ tenantId, _id: new Types.ObjectId(id), ...alive })
      .lean<ConversationRecord>()
      .exec();
  }

  /** Also one that is being erased. */
  async findEvenErased(tenantId: string, id: string): Promise<ConversationRecord | null> {
    return this.conversations
      .findOne({ tenantId, _id: new Types.ObjectId(id) })
      .lean<ConversationRecord>()
      .exec();
  }

  /** The newest active conversation of a participant on a channel. */
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

  /**
   * Up to `limit` rows after `cursor`, newest first. Open and closed conversations are two runs of the index that serves the list;
   * without a filter that has an index of its own, both are read and merged, which costs the same however many conversations there are.
   */
  async list(
    tenantId: string,
    filter: ConversationFilter,
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<ConversationRecord[]> {
    const { participantId, channel, isActive } = filter;
    if (isActive !== undefined || participantId !== undefined || channel !== undefined)
      return this.run(tenantId, filter, limit, cursor);
    const open = await this.run(tenantId, { isActive: true }, limit, cursor);
    const closed = await this.run(tenantId, { isActive: false }, limit, cursor);
    return [...open, ...closed].sort(byNewest).slice(0, limit);
  }

  private async run(
    tenantId: string,
    { participantId, channel, isActive }: ConversationFilter,
    limit: number,
    cursor: DateIdCursor | undefined,
  ): Promise<ConversationRecord[]> {
    const query: QueryFilter<ConversationRecord> = {
      tenantId,
      ...(participantId !== undefined && { participantId }),
      ...(channel !== undefined && { channel }),
      ...(isActive !== undefined && { isActive }),
      ...alive,
      ...afterCursor(cursor),
    };
    return this.conversations.find(query).sort(newestFirst).limit(limit).lean<ConversationRecord[]>().exec();
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
