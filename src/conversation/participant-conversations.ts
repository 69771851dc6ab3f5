import { Injectable } from '@nestjs/common';
import { ProblemError } from '../http/index.js';
import { ClosingRepository } from './closing/closing.repository.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationWriter } from './conversation-writer.js';
import { conversationView } from './conversation.dto.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import { MessageDebouncer } from './message-debouncer.js';
import { messageView } from './message.dto.js';
import { MessageRepository } from './message.repository.js';
import type { MessageRecord } from './message.schema.js';
import { MessageService } from './message.service.js';

/** Conversations of one participant read at once. */
const CONVERSATIONS = 50;

/** Messages read at once for an export, and their keys for an erasure. */
const MESSAGES = 100;
const KEYS = 500;

export interface ConversationCounts {
  conversations: number;
  messages: number;
}

const isNotFound = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.code === 'conversation_not_found';

/** Everything that conversations hold of one participant. */
@Injectable()
export class ParticipantConversations {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly messages: MessageRepository,
    private readonly closings: ClosingRepository,
    private readonly writer: ConversationWriter,
    private readonly eraser: ConversationEraser,
    private readonly debouncer: MessageDebouncer,
    private readonly messageService: MessageService,
  ) {}

  /**
   * Erases the conversations of a participant with their messages, closings and transcripts, and returns what was
   * there. A message whose responder works, or that waits for others, is not stored again.
   * @param remember called with the keys of the messages' externalIds before the messages are deleted
   */
  async erase(
    tenantId: string,
    participantId: string,
    remember: (externalKeys: readonly string[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<ConversationCounts> {
    const removed = { conversations: 0, messages: 0 };
    for (;;) {
      const rows = await this.conversations.ofParticipant(tenantId, participantId, CONVERSATIONS);
      if (rows.length === 0) return removed;
      for (const conversation of rows) {
        signal.throwIfAborted();
        removed.messages += await this.eraseOne(conversation, remember);
        removed.conversations++;
      }
    }
  }

  /** Includes conversations that are being erased. */
  async count(tenantId: string, participantId: string): Promise<ConversationCounts> {
    const counts = { conversations: 0, messages: 0 };
    for await (const { _id } of this.all(tenantId, participantId)) {
      counts.conversations++;
      counts.messages += await this.messages.countOf(tenantId, _id);
    }
    return counts;
  }

  /** Each conversation, followed by its closings whose transcript does not exist yet, and its messages in order. */
  async *documents(
    tenantId: string,
    participantId: string,
  ): AsyncIterable<{ kind: 'conversation' | 'closing' | 'message'; document: object }> {
    for await (const conversation of this.all(tenantId, participantId)) {
      if (conversation.erasedAt) continue;
      yield { kind: 'conversation', document: conversationView(conversation) };
      for (const { _id, conversationId, transcriptId, content } of await this.closings.contentsOf(
        tenantId,
        conversation._id,
      )) {
        const ids = {
          jobId: _id.toHexString(),
          conversationId: conversationId.toHexString(),
          transcriptId: transcriptId.toHexString(),
        };
        yield { kind: 'closing', document: { ...ids, ...content } };
      }
      const id = conversation._id.toHexString();
      let after = 0;
      for (;;) {
        const rows = await this.messages.first(tenantId, id, { after }, MESSAGES);
        for (const row of rows) yield { kind: 'message', document: messageView(row) };
        if (rows.length < MESSAGES) break;
        after += MESSAGES;
      }
    }
  }

  /** Participants of the tenant with a conversation after `after`, in order of their ids: up to `limit`. */
  participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    return this.conversations.participantIds(tenantId, after, limit);
  }

  /** In order of their ids. Conversations that are created meanwhile may be left out. */
  private async *all(tenantId: string, participantId: string): AsyncIterable<ConversationRecord> {
    let rows: ConversationRecord[] = [];
    do {
      const last = rows.at(-1)?._id;
      rows = await this.conversations.ofParticipant(tenantId, participantId, CONVERSATIONS, last);
      yield* rows;
    } while (rows.length === CONVERSATIONS);
  }

  /** Returns the number of its messages. */
  private async eraseOne(
    { tenantId, _id }: ConversationRecord,
    remember: (externalKeys: readonly string[]) => Promise<void>,
  ): Promise<number> {
    const id = _id.toHexString();
    try {
      // From now on, no message is appended, and none that is sent again is accepted.
      await this.writer.markErasedWithParticipant(tenantId, id);
    } catch (error) {
      // An erasure that was interrupted has marked it before.
      if (!isNotFound(error)) throw error;
    }
    this.debouncer.end(tenantId, id);
    this.messageService.forget(tenantId, id);
    let count = 0;
    let rows: Pick<MessageRecord, 'seq' | 'externalKey'>[] = [];
    do {
      rows = await this.messages.externalKeysAfter(tenantId, _id, rows.at(-1)?.seq ?? 0, KEYS);
      await remember(rows.flatMap(({ externalKey }) => externalKey ?? []));
      count += rows.length;
    } while (rows.length === KEYS);
    if (!(await this.eraser.finish(tenantId, _id))) throw new Error('the process is shutting down');
    return count;
  }
}
