import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type QueryFilter, Types } from 'mongoose';
import { afterCursor, BatchedReads, type PointReads, type FindRange } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import type { MessageRole } from '../responder/index.js';
import { MESSAGE_MODEL, type MessageRecord } from './message.schema.js';

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
  const after = afterCursor('timestamp', cursor);
  const timestamp = { ...(since && { $gte: since }), ...(until && { $lt: until }), ...after.timestamp };
  return { ...after, ...(Object.keys(timestamp).length > 0 && { timestamp }) };
}

@Injectable()
export class MessageRepository {
  private readonly byId: PointReads<MessageRecord>;
  private readonly byExternalKey: PointReads<MessageRecord>;
  private readonly range: FindRange<MessageRecord>;

  constructor(
    @InjectModel(MESSAGE_MODEL) private readonly messages: Model<MessageRecord>,
    reads: BatchedReads,
  ) {
    const { collectionName } = messages.collection;
    this.byId = reads.byField(collectionName, '_id');
    this.byExternalKey = reads.byField(collectionName, 'externalKey');
    this.range = reads.byRange(collectionName, 'conversationId', 'seq');
  }

  find(tenantId: string, id: Types.ObjectId): Promise<MessageRecord | null> {
    return this.byId.find(tenantId, id);
  }

  /** @param keys as `externalKeyOf` returns them */
  findByExternalKeys(tenantId: string, keys: readonly string[]): Promise<MessageRecord[]> {
    return this.byExternalKey.findMany(tenantId, keys);
  }

  findByExternalKey(tenantId: string, key: string): Promise<MessageRecord | null> {
    return this.byExternalKey.find(tenantId, key);
  }

  /**
   * Returns the messages whose key is in the range, in order of their keys, excluding the conversations in
   * `hidden`.
   */
  async listByExternalKey(
    tenantId: string,
    range: { $gte?: string; $gt?: string; $lt: string },
    { role, since, until }: MessageFilter,
    hidden: readonly Types.ObjectId[],
    limit: number,
  ): Promise<MessageRecord[]> {
    return this.messages
      .find({
        tenantId,
        externalKey: range,
        ...(role !== undefined && { role }),
        ...inTime({ since, until }),
        ...(hidden.length > 0 && { conversationId: { $nin: [...hidden] } }),
      })
      .sort({ externalKey: 1 })
      .limit(limit)
      .lean<MessageRecord[]>()
      .exec();
  }

  /**
   * Returns the first `limit` messages of the range, in order. As `seq` has no gaps, the range can be
   * computed without a sort.
   */
  first(
    tenantId: string,
    conversationId: string,
    { after = 0, before = Infinity }: SeqRange,
    limit: number,
  ): Promise<MessageRecord[]> {
    const value = new Types.ObjectId(conversationId);
    return this.range({ tenantId, value, from: after + 1, to: Math.min(before - 1, after + limit) });
  }

  /**
   * Returns the last `limit` messages of the range, in order. `lastSeq` is the conversation's value as read
   * before this call; it may be outdated. It saves a sorted query.
   */
  async last(
    tenantId: string,
    conversationId: string,
    range: SeqRange,
    limit: number,
    lastSeq?: number,
  ): Promise<MessageRecord[]> {
    const value = new Types.ObjectId(conversationId);
    const { after = 0, before = Infinity } = range;
    if (lastSeq !== undefined) {
      const known = Math.min(before - 1, lastSeq);
      const from = Math.max(after, known - limit) + 1;
      // Leaves room for messages appended since. As `seq` has no gaps, an unused number at the end means that
      // no message follows.
      const to = Math.min(before - 1, Math.max(after, known) + limit);
      const rows = await this.range({ tenantId, value, from, to });
      if (to === before - 1 || rows.at(-1)?.seq !== to) return rows.slice(-limit);
    }
    const rows = await this.messages
      .find({ tenantId, conversationId: value, ...inRange(range) })
      .sort({ seq: -1 })
      .limit(limit)
      .lean<MessageRecord[]>()
      .exec();
    return rows.reverse();
  }

  /** Messages of the tenant after `cursor`, newest first, excluding the conversations in `hidden`. */
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

  /** The externalKeys of the messages after `seq`, in order; also of a conversation whose first ones are deleted. */
  async externalKeysAfter(
    tenantId: string,
    conversationId: Types.ObjectId,
    seq: number,
    limit: number,
  ): Promise<Pick<MessageRecord, 'seq' | 'externalKey'>[]> {
    return this.messages
      .find({ tenantId, conversationId, seq: { $gt: seq } }, { _id: 0, seq: 1, externalKey: 1 })
      .sort({ seq: 1 })
      .limit(limit)
      .lean<Pick<MessageRecord, 'seq' | 'externalKey'>[]>()
      .exec();
  }

  countOf(tenantId: string, conversationId: Types.ObjectId): Promise<number> {
    return this.messages.countDocuments({ tenantId, conversationId }).exec();
  }

  /**
   * Deletes up to `limit` messages from the beginning of a conversation. Returns false if it had none. The
   * deleted count is not used for this, because another process may delete the same messages concurrently.
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
