import { Injectable } from '@nestjs/common';
import { positionBy } from '../database/index.js';
import { dateIdCursor, idCursor, type IdCursor, notFound, type Page, readPage } from '../http/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationWriter } from './conversation-writer.js';
import type {
  ConversationsQuery,
  CreateConversationBody,
  UpdateConversationBody,
} from './conversation.dto.js';
import { ConversationRepository } from './conversation.repository.js';
import { type ConversationRecord, newConversation } from './conversation.schema.js';
import { mergedMetadata } from './merged-metadata.js';

/** Conversations in one query of a list: they are small. */
const batch = 201;

@Injectable()
export class ConversationService {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly heads: ConversationHeads,
    private readonly eraser: ConversationEraser,
    private readonly writer: ConversationWriter,
  ) {}

  create(tenantId: string, body: CreateConversationBody): Promise<ConversationRecord> {
    return this.writer.create(newConversation(tenantId, body, new Date()));
  }

  /** @throws ProblemError 404 `conversation_not_found` */
  async get(tenantId: string, id: string): Promise<ConversationRecord> {
    const conversation = await this.heads.find(tenantId, id);
    if (!conversation) throw notFound('conversation', id);
    return conversation;
  }

  /**
   * Lists conversations by creation, newest first, or by last update (`order` updated), where rows may move
   * between two pages.
   * @throws ProblemError 400 `invalid_cursor`, also for a cursor of the other order
   */
  async list(tenantId: string, query: ConversationsQuery): Promise<Page<ConversationRecord>> {
    const { limit, cursor, active, order, ...others } = query;
    const filter = { ...others, isActive: active };
    const view = (conversation: ConversationRecord): ConversationRecord => conversation;
    if (order === 'updated') {
      const from = dateIdCursor.decode(cursor);
      const read = (count: number, after = from): Promise<ConversationRecord[]> =>
        this.conversations.listByUpdate(tenantId, filter, count, after);
      return readPage(dateIdCursor, { limit, from, positionOf: positionBy('updatedAt'), read, batch }, view);
    }
    const from = idCursor.decode(cursor);
    const read = (count: number, after = from): Promise<ConversationRecord[]> =>
      this.conversations.list(tenantId, filter, count, after);
    const positionOf = ({ _id }: ConversationRecord): IdCursor => ({ id: _id.toHexString() });
    return readPage(idCursor, { limit, from, positionOf, read, batch }, view);
  }

  /**
   * Applies a merge patch to a conversation.
   * @throws ProblemError 404 `conversation_not_found`, 400 if the merged metadata exceeds its limits
   */
  update(tenantId: string, id: string, patch: UpdateConversationBody): Promise<ConversationRecord> {
    const { metadata, title, isActive } = patch;
    if (metadata === undefined && title === undefined && isActive === undefined)
      return this.get(tenantId, id);
    return this.writer.update(tenantId, id, (conversation, { stamp }) => ({
      ...(title !== undefined && { title: title ?? undefined }),
      ...(isActive !== undefined && { isActive }),
      // Closing a closed conversation again keeps the time of the first closing.
      ...(isActive === false && { closedAt: conversation.closedAt ?? stamp }),
      ...(isActive === true && { closedAt: undefined }),
      ...(metadata !== undefined && { metadata: mergedMetadata(conversation.metadata, metadata) }),
    }));
  }

  /** @throws ProblemError 404 `conversation_not_found` */
  async erase(tenantId: string, id: string): Promise<void> {
    await this.eraser.erase(tenantId, id);
  }
}
