import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { type DateIdCursor, decodeCursor, notFound, type Page, toPage } from '../common/index.js';
import { duplicateKeyFields, TransactionRunner } from '../database/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationLock } from './conversation-lock.js';
import { conversationClosed, externalIdInUse } from './conversation.errors.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import { decodeSeqCursor, encodeSeqCursor, type SeqCursor } from './seq-cursor.js';
import type { ConversationMessagesQuery, MessageInput, MessagesQuery } from './message.dto.js';
import { MessageRepository } from './message.repository.js';
import type { MessageRecord } from './message.schema.js';

export interface AppendResult {
  /** One for each message of the request, in its order: stored now or before. */
  messages: MessageRecord[];
  /** False when every message had been stored before, and nothing was written. */
  written: boolean;
}

/** Tries of an append that meets others with the same externalIds; each try leaves fewer to store. */
const MAX_TRIES = 5;

const place = ({ timestamp, _id }: MessageRecord): DateIdCursor => ({
  date: timestamp,
  id: _id.toHexString(),
});

@Injectable()
export class MessageService {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly heads: ConversationHeads,
    private readonly messages: MessageRepository,
    private readonly eraser: ConversationEraser,
    private readonly lock: ConversationLock,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * Stores messages at the end of a conversation, all or none. A message whose externalId is known is answered as it is stored.
   * @throws ProblemError 404 `conversation_not_found`, 409 `conversation_closed`, 409 `external_id_in_use` by another conversation
   */
  append(tenantId: string, conversationId: string, inputs: readonly MessageInput[]): Promise<AppendResult> {
    return this.lock.run(tenantId, conversationId, async () => {
      for (let attempt = 1; ; attempt++) {
        const known = await this.knownMessages(tenantId, conversationId, inputs);
        if (!known) continue;
        try {
          return await this.appendUnknown(tenantId, conversationId, inputs, known);
        } catch (error) {
          // Another process stored one of these externalIds in the meantime: it is known now.
          if (!isExternalIdTaken(error) || attempt === MAX_TRIES) throw error;
        }
      }
    });
  }

  /**
   * A page of a conversation in order of `seq`.
   * @throws ProblemError 404 `conversation_not_found`, 400 `invalid_cursor`
   */
  async listOfConversation(
    tenantId: string,
    conversationId: string,
    query: ConversationMessagesQuery,
  ): Promise<Page<MessageRecord>> {
    const { limit, cursor, afterSeq, beforeSeq } = query;
    const isBackward = afterSeq === undefined && beforeSeq !== undefined;
    const from = cursor === undefined ? undefined : decodeSeqCursor(cursor, isBackward ? 'before' : 'after');
    const conversation = await this.heads.find(tenantId, conversationId);
    if (!conversation) throw notFound('conversation', conversationId);
    return isBackward
      ? this.pageBefore(conversation, from ?? beforeSeq, limit)
      : this.pageAfter(tenantId, conversationId, { after: from ?? afterSeq, before: beforeSeq }, limit);
  }

  /** Messages of the tenant, newest first. */
  async list(tenantId: string, query: MessagesQuery): Promise<Page<MessageRecord>> {
    const { limit, cursor, ...filter } = query;
    const from = cursor === undefined ? undefined : decodeCursor(cursor);
    const hidden = await this.conversations.erasing(tenantId);
    const rows = await this.messages.list(tenantId, filter, hidden, limit + 1, from);
    return toPage(rows, limit, place, (message) => message);
  }

  /**
   * Stored messages with the externalIds of `inputs`; undefined when one was in the way that belonged to a conversation under
   * erasure, which is finished now.
   */
  private async knownMessages(
    tenantId: string,
    conversationId: string,
    inputs: readonly MessageInput[],
  ): Promise<ReadonlyMap<string, MessageRecord> | undefined> {
    const externalIds = inputs.flatMap(({ externalId }) => externalId ?? []);
    if (externalIds.length === 0) return new Map();
    const known = await this.messages.findByExternalIds(tenantId, externalIds);
    for (const message of known) {
      const owner = message.conversationId.toHexString();
      if (owner === conversationId) continue;
      if (await this.eraser.finishIfErased(tenantId, message.conversationId)) return undefined;
      throw externalIdInUse(message.externalId ?? '', owner);
    }
    return new Map(known.map((message) => [message.externalId ?? '', message]));
  }

  private async appendUnknown(
    tenantId: string,
    conversationId: string,
    inputs: readonly MessageInput[],
    known: ReadonlyMap<string, MessageRecord>,
  ): Promise<AppendResult> {
    const isKnown = ({ externalId }: MessageInput): boolean =>
      externalId !== undefined && known.has(externalId);
    const unknown = inputs.filter((input) => !isKnown(input));
    const stored = await this.store(tenantId, conversationId, unknown);
    const fresh = stored.values();
    const messages = inputs.map((input) => {
      const message = isKnown(input) ? known.get(input.externalId ?? '') : fresh.next().value;
      if (!message) throw new Error('an appended message has no stored counterpart');
      return message;
    });
    return { messages, written: stored.length > 0 };
  }

  private async store(
    tenantId: string,
    conversationId: string,
    inputs: readonly MessageInput[],
  ): Promise<MessageRecord[]> {
    if (inputs.length === 0) {
      if (await this.conversations.find(tenantId, conversationId)) return [];
      throw notFound('conversation', conversationId);
    }
    return this.transactions.run(async () => {
      const now = new Date();
      const conversation = await this.conversations.reserve(
        tenantId,
        conversationId,
        { isActive: true },
        inputs.length,
        now,
      );
      if (!conversation) throw await this.whyNotReserved(tenantId, conversationId);
      await this.heads.changed(tenantId, conversationId);
      const firstSeq = conversation.lastSeq - inputs.length + 1;
      return this.messages.insert(
        tenantId,
        inputs.map(({ externalId, ...input }, index) => ({
          _id: new Types.ObjectId(),
          conversationId: conversation._id,
          seq: firstSeq + index,
          ...input,
          ...(externalId !== undefined && { externalId }),
          timestamp: now,
        })),
      );
    });
  }

  private async whyNotReserved(tenantId: string, conversationId: string): Promise<Error> {
    const conversation = await this.conversations.find(tenantId, conversationId);
    return conversation ? conversationClosed(conversationId) : notFound('conversation', conversationId);
  }

  private async pageAfter(
    tenantId: string,
    conversationId: string,
    range: { after: number | undefined; before: number | undefined },
    limit: number,
  ): Promise<Page<MessageRecord>> {
    const rows = await this.messages.first(tenantId, conversationId, range, limit + 1);
    const data = rows.slice(0, limit);
    return { data, nextCursor: cursorOf(rows.length > limit, 'after', data.at(-1)) };
  }

  private async pageBefore(
    { tenantId, _id, lastSeq }: ConversationRecord,
    before: number,
    limit: number,
  ): Promise<Page<MessageRecord>> {
    const rows = await this.messages.last(tenantId, _id.toHexString(), { before }, limit + 1, lastSeq);
    const data = rows.slice(-limit);
    return { data, nextCursor: cursorOf(rows.length > limit, 'before', data[0]) };
  }
}

const cursorOf = (more: boolean, direction: SeqCursor['direction'], edge?: MessageRecord): string | null =>
  more && edge ? encodeSeqCursor({ direction, seq: edge.seq }) : null;

/** A write met a message of the tenant that has the same externalId. */
export const isExternalIdTaken = (error: unknown): boolean =>
  duplicateKeyFields(error)?.includes('externalId') ?? false;
