import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import {
  decodeCursor,
  decodeIdCursor,
  notFound,
  type Page,
  toPage,
  validationFailed,
} from '../common/index.js';
import { TransactionRunner } from '../database/index.js';
import { mergePatch } from '../session/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationHeads } from './conversation-heads.js';
import type {
  ConversationsQuery,
  CreateConversationBody,
  UpdateConversationBody,
} from './conversation.dto.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import { metadata as metadataSchema } from './message-content.dto.js';

@Injectable()
export class ConversationService {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly heads: ConversationHeads,
    private readonly eraser: ConversationEraser,
    private readonly transactions: TransactionRunner,
  ) {}

  async create(tenantId: string, body: CreateConversationBody): Promise<ConversationRecord> {
    return this.conversations.insert(tenantId, newConversation(body, new Date()));
  }

  /** @throws ProblemError 404 `conversation_not_found` */
  async get(tenantId: string, id: string): Promise<ConversationRecord> {
    const conversation = await this.heads.find(tenantId, id);
    if (!conversation) throw notFound('conversation', id);
    return conversation;
  }

  /**
   * By creation, the newest first, or by the last write (`order` updated), where rows move between two pages.
   * @throws ProblemError 400 `invalid_cursor`, also for one of the other order
   */
  async list(tenantId: string, query: ConversationsQuery): Promise<Page<ConversationRecord>> {
    const { limit, cursor, active, order, ...others } = query;
    const filter = { ...others, isActive: active };
    const view = (conversation: ConversationRecord): ConversationRecord => conversation;
    if (order === 'updated') {
      const from = cursor === undefined ? undefined : decodeCursor(cursor);
      const rows = await this.conversations.listByUpdate(tenantId, filter, limit + 1, from);
      return toPage(rows, limit, ({ updatedAt, _id }) => ({ date: updatedAt, id: _id.toHexString() }), view);
    }
    const from = cursor === undefined ? undefined : decodeIdCursor(cursor);
    const rows = await this.conversations.list(tenantId, filter, limit + 1, from);
    return toPage(rows, limit, ({ _id }) => ({ id: _id.toHexString() }), view);
  }

  /**
   * Merges a patch into a conversation.
   * @throws ProblemError 404 `conversation_not_found`, 400 when the merged metadata is beyond its limits
   */
  async update(tenantId: string, id: string, patch: UpdateConversationBody): Promise<ConversationRecord> {
    if (Object.values(patch).every((value) => value === undefined)) return this.get(tenantId, id);
    return this.transactions.run(async () => {
      const { metadata, title, isActive } = patch;
      const merged = metadata === undefined ? undefined : await this.mergedMetadata(tenantId, id, metadata);
      const changes = {
        ...(title !== undefined && { title }),
        ...(isActive !== undefined && { isActive }),
        ...(merged && { metadata: merged }),
      };
      const updated = await this.conversations.update(tenantId, id, changes, new Date());
      if (!updated) throw notFound('conversation', id);
      await this.heads.changed(tenantId, id);
      return updated;
    });
  }

  /** @throws ProblemError 404 `conversation_not_found` */
  async erase(tenantId: string, id: string): Promise<void> {
    await this.eraser.erase(tenantId, id);
  }

  private async mergedMetadata(
    tenantId: string,
    id: string,
    patch: Record<string, unknown> | null,
  ): Promise<Record<string, unknown>> {
    if (patch === null) return {};
    const merged = mergePatch((await this.get(tenantId, id)).metadata, patch);
    const checked = metadataSchema.safeParse(merged);
    if (checked.success) return merged;
    throw validationFailed(
      checked.error.issues.map(({ message }) => ({
        path: 'metadata',
        message: `after the merge, ${message}`,
      })),
    );
  }
}

/** A conversation that is not stored yet, without messages. */
export const newConversation = (
  { participantId, channel, title, metadata }: CreateConversationBody,
  now: Date,
): Omit<ConversationRecord, 'tenantId'> => ({
  _id: new Types.ObjectId(),
  participantId,
  channel,
  ...(title !== undefined && { title }),
  isActive: true,
  metadata,
  messageCount: 0,
  lastSeq: 0,
  createdAt: now,
  updatedAt: now,
});
