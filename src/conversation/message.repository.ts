import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type QueryFilter, Types } from 'mongoose';
import type { DateIdCursor } from '../common/index.js';
import { MESSAGE_MODEL, type MessageRecord, type MessageRole } from './message.schema.js';

/** Places in a conversation, both ends excluded. */
export interface SeqRange {
  after?: number | undefined;
  before?: number | undefined;
}

export interface MessageFilter {
  role?: MessageRole | undefined;
  /** Inclusive. */
  since?: Date | undefined;
  /** Exclusive. */
  until?: Date | undefined;
}

const newestFirst = { timestamp: -1, _id: -1 } as const;

const inRange = ({ after, before }: SeqRange): { seq?: { $gt?: number; $lt?: number } } =>
  after === undefined && before === undefined
    ? {}
    : { seq: { ...(after !== undefined && { $gt: after }), ...(before !== undefined && { $lt: before }) } };

function inTime({ since, until }: MessageFilter, cursor?: DateIdCursor): QueryFilter<MessageRecord> {
  const timestamp = {
    ...(since && { $gte: since }),
    ...(until && { $lt: until }),
    ...(cursor && { $lte: cursor.date }),
  };
  return {
    ...(Object.keys(timestamp).length > 0 && { timestamp }),
    ...(cursor && {
      $or: [
        { timestamp: { $lt: cursor.date } },
        { timestamp: cursor.date, _id: { $lt: new Types.ObjectId(cursor.id) } },
      ],
    }),
  };
}

@Injectable()
export class MessageRepository {
  constructor(@InjectModel(MESSAGE_MODEL) private readonly messages: Model<MessageRecord>) {}

  async find(tenantId: string, id: Types.ObjectId): Promise<MessageRecord | null> {
    return this.messages.findOne({ tenantId, _id: id }).lean<MessageRecord>().exec();
  }

  async findByExternalIds(tenantId: string, externalIds: readonly string[]): Promise<MessageRecord[]> {
    return this.messages
      .find({ tenantId, externalId: { $in: [...externalIds] } })
      .lean<MessageRecord[]>()
      .exec();
  }

  async findByExternalId(tenantId: string, externalId: string): Promise<MessageRecord | null> {
    return this.messages.findOne({ tenantId, externalId }).lean<MessageRecord>().exec();
  }

  /** The first `limit` messages of the range, in order. */
  async first(
    tenantId: string,
    conversationId: string,
    range: SeqRange,
    limit: number,
  ): Promise<MessageRecord[]> {
    return this.messages
      .find({ tenantId, conversationId: new Types.ObjectId(conversationId), ...inRange(range) })
      .sort({ seq: 1 })
      .limit(limit)
      .lean<MessageRecord[]>()
      .exec();
  }

  /** The last `limit` messages of the range, in order. */
  async last(
    tenantId: string,
    conversationId: string,
    range: SeqRange,
    limit: number,
  ): Promise<MessageRecord[]> {
    const rows = await this.messages
      .find({ tenantId, conversationId: new Types.ObjectId(conversationId), ...inRange(range) })
      .sort({ seq: -1 })
      .limit(limit)
      .lean<MessageRecord[]>()
      .exec();
    return rows.reverse();
  }

  /** Messages of the tenant after `cursor`, newest first, without those of the conversations in `hidden`. */
  async list(
    tenantId: string,
    filter: MessageFilter,
    hidden: readonly Types.ObjectId[],
    limit: number,
    cursor?: DateIdCursor,
  ): Promise<MessageRecord[]> {
    return this.messages
      .find({
        tenantId,
        ...(filter.role !== undefined && { role: filter.role }),
        ...inTime(filter, cursor),
        ...(hidden.length > 0 && { conversationId: { $nin: [...hidden] } }),
      })
      .sort(newestFirst)
      .limit(limit)
      .lean<MessageRecord[]>()
      .exec();
  }

  /**
   * Deletes up to `limit` messages from the beginning of a conversation. False when there was none: a count of 0 says less, as
   * another process may delete the same ones at the same moment.
   */
  async deleteFirst(tenantId: string, conversationId: Types.ObjectId, limit: number): Promise<boolean> {
    const first = await this.messages
      .findOne({ tenantId, conversationId }, { seq: 1 })
      .sort({ seq: 1 })
      .lean<Pick<MessageRecord, 'seq'>>()
      .exec();
    if (!first) return false;
    await this.messages
      .deleteMany({ tenantId, conversationId, seq: { $gte: first.seq, $lt: first.seq + limit } })
      .exec();
    return true;
  }
}
