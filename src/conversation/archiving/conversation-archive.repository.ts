import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model, Types } from 'mongoose';
import { beforeAndAfter, type DueRoot } from '../../database/index.js';
import { CLOSING_MODEL, type ClosingDocument } from '../closing/closing.schema.js';
import { CONVERSATION_MODEL, type ConversationRecord, indexByUpdate } from '../conversation.schema.js';
import { MESSAGE_MODEL, type MessageRecord } from '../message.schema.js';

/** The state of a conversation that was archived. Each change of it or of its messages changes `updatedAt`. */
export type ConversationVersion = Pick<ConversationRecord, '_id' | 'updatedAt'>;

export type HiddenConversation = Pick<ConversationRecord, '_id' | 'messageCount' | 'isRestoring'>;

/** The messages of a conversation that were restored so far are being deleted. */
class RestoreAbandonedError extends Error {
  constructor() {
    super(
      'The conversation was not restored in time, and what was inserted is being deleted. Restore it again.',
    );
    this.name = 'RestoreAbandonedError';
  }
}

export interface RestoringConversation {
  tenantId: string;
  _id: Types.ObjectId;
  archiveId: Types.ObjectId;
}

const notErased = { erasedAt: { $exists: false } } as const;

/** The queries with which conversations are moved to an archive. */
@Injectable()
export class ConversationArchiveRepository {
  constructor(
    @InjectModel(CONVERSATION_MODEL) private readonly conversations: Model<ConversationRecord>,
    @InjectModel(MESSAGE_MODEL) private readonly messages: Model<MessageRecord>,
    @InjectModel(CLOSING_MODEL) private readonly closings: Model<ClosingDocument>,
  ) {}

  /** Conversations without an activity since `before`, longest idle first. */
  async idle(tenantId: string, before: Date, after: DueRoot | undefined, limit: number): Promise<DueRoot[]> {
    const rows = await this.conversations
      .find(
        {
          tenantId,
          isActive: { $in: [true, false] },
          ...beforeAndAfter('updatedAt', before, after),
          ...notErased,
        },
        { updatedAt: 1 },
      )
      .sort({ updatedAt: 1, _id: 1 })
      .limit(limit)
      .hint(indexByUpdate)
      .lean<ConversationVersion[]>()
      .exec();
    return rows.map(({ _id, updatedAt }) => ({ id: _id, at: updatedAt }));
  }

  count(tenantId: string): Promise<number> {
    return this.conversations.countDocuments({ tenantId }).exec();
  }

  /** Those of the conversations whose transcript is not accepted yet. */
  async awaitingTranscript(tenantId: string, ids: readonly Types.ObjectId[]): Promise<Set<string>> {
    const rows = await this.closings
      .find({ tenantId, conversationId: { $in: ids }, content: { $exists: true } }, { conversationId: 1 })
      .lean<Pick<ClosingDocument, 'conversationId'>[]>()
      .exec();
    return new Set(rows.map(({ conversationId }) => conversationId.toHexString()));
  }

  /** Hides those of the conversations that have not changed, and returns their ids. */
  async hide(
    tenantId: string,
    versions: readonly ConversationVersion[],
    archiveId: Types.ObjectId,
    erasedAt: Date,
  ): Promise<Types.ObjectId[]> {
    await this.conversations.bulkWrite(
      versions.map(({ _id, updatedAt }) => ({
        updateOne: {
          filter: { tenantId, _id, updatedAt, ...notErased },
          update: { $set: { erasedAt, archiveId } },
        },
      })),
      { timestamps: false },
    );
    const rows = await this.conversations
      .find({ tenantId, _id: { $in: versions.map(({ _id }) => _id) }, archiveId }, { _id: 1 })
      .lean<Pick<ConversationRecord, '_id'>[]>()
      .exec();
    return rows.map(({ _id }) => _id);
  }

  hidden(tenantId: string, archiveId: Types.ObjectId, limit: number): Promise<HiddenConversation[]> {
    return this.conversations
      .find({ tenantId, erasedAt: { $exists: true }, archiveId }, { messageCount: 1, isRestoring: 1 })
      .limit(limit)
      .lean<HiddenConversation[]>()
      .exec();
  }

  /**
   * Within the transaction that inserts messages of a conversation which itself follows later. They stay hidden
   * until then.
   * @param isFirst whether these are its first messages
   * @throws RestoreAbandonedError
   */
  async hideRestored(
    { tenantId, _id, archiveId }: RestoringConversation,
    messageCount: number,
    isFirst: boolean,
  ): Promise<void> {
    const { matchedCount, upsertedCount } = await this.conversations
      .updateOne(
        { tenantId, _id, archiveId, isRestoring: true },
        { $set: { erasedAt: new Date() }, $inc: { messageCount } },
        { timestamps: false, upsert: isFirst, setDefaultsOnInsert: false },
      )
      .exec();
    if (matchedCount + upsertedCount === 0) throw new RestoreAbandonedError();
  }

  /**
   * Within the transaction that inserts the conversation itself.
   * @throws RestoreAbandonedError
   */
  async endRestore({ tenantId, _id, archiveId }: RestoringConversation): Promise<void> {
    const { deletedCount } = await this.conversations
      .deleteOne({ tenantId, _id, archiveId, isRestoring: true })
      .exec();
    if (deletedCount === 0) throw new RestoreAbandonedError();
  }

  /** Deletes all messages and closings of hidden conversations, and then these. */
  async delete(tenantId: string, ids: readonly Types.ObjectId[], archiveId: Types.ObjectId): Promise<void> {
    await this.messages.deleteMany({ tenantId, conversationId: { $in: ids } }).exec();
    await this.closings.deleteMany({ tenantId, conversationId: { $in: ids } }).exec();
    await this.conversations
      .deleteMany({ tenantId, _id: { $in: ids }, erasedAt: { $exists: true }, archiveId })
      .exec();
  }
}
