import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { TransactionRunner } from '../database/index.js';
import { type SessionChanges, SessionService, type SessionState } from '../session/index.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationLocator } from './conversation-locator.js';
import { ConversationLock } from './conversation-lock.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import { newConversation } from './conversation.service.js';
import { MessageRepository } from './message.repository.js';
import type { MessageRecord } from './message.schema.js';
import type { ReplyContent, ResponderResult } from './responders/responder.js';

/** The user message of an exchange, before it is stored. */
export type NewUserMessage = Pick<MessageRecord, '_id' | 'content' | 'attachments'> & {
  externalId?: string | undefined;
};

/** Where an exchange takes place. */
export interface ExchangePlace {
  state: SessionState;
  channel: string;
  /** Where the locator found the participant to be; null for a new conversation. */
  conversationId: string | null;
}

export interface StoredExchange {
  conversation: ConversationRecord;
  message: MessageRecord;
  reply: MessageRecord | null;
  session: SessionState;
}

/** What was found when the transaction ran is not what it began with; nothing was written, and the work is to be done anew. */
export class ExchangeSupersededError extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'ExchangeSupersededError';
  }
}

interface Taken {
  conversation: ConversationRecord;
  isNew: boolean;
}

const replyRecord = (
  conversation: ConversationRecord,
  seq: number,
  replyTo: Types.ObjectId,
  { content, attachments = [], metadata = {} }: ReplyContent,
  timestamp: Date,
): Omit<MessageRecord, 'tenantId'> => ({
  _id: new Types.ObjectId(),
  conversationId: conversation._id,
  seq,
  role: 'assistant',
  content,
  attachments,
  metadata,
  timestamp,
  replyTo,
});

const userRecord = (
  conversation: ConversationRecord,
  seq: number,
  { _id, content, attachments, externalId }: NewUserMessage,
  timestamp: Date,
): Omit<MessageRecord, 'tenantId'> => ({
  _id,
  conversationId: conversation._id,
  seq,
  role: 'user',
  content,
  attachments,
  ...(externalId !== undefined && { externalId }),
  metadata: {},
  timestamp,
});

const changesOf = ({ activeGoals, context }: ResponderResult, conversationId: string): SessionChanges => ({
  ...(activeGoals && { activeGoals }),
  ...(context && { context }),
  conversationId,
});

/**
 * Writes a user message, its reply, the conversation's counters and the session in one transaction: all of it, or nothing.
 * Every method throws SessionConflictError when the session was changed elsewhere since it was opened.
 */
@Injectable()
export class ExchangeWriter {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly messages: MessageRepository,
    private readonly sessions: SessionService,
    private readonly transactions: TransactionRunner,
    private readonly lock: ConversationLock,
    private readonly locator: ConversationLocator,
    private readonly heads: ConversationHeads,
  ) {}

  /** Stores the whole exchange. The user message is marked as answered, also when there is nothing to say. */
  write(place: ExchangePlace, message: NewUserMessage, result: ResponderResult): Promise<StoredExchange> {
    const { tenantId } = place.state;
    return this.inTurn(place, async () => {
      const now = new Date();
      const { conversation, isNew } = await this.take(place, result.reply ? 2 : 1, now);
      const session = await this.sessions.save(
        place.state,
        changesOf(result, conversation._id.toHexString()),
      );
      if (isNew) await this.insertConversation(conversation, session);
      const seq = conversation.lastSeq - (result.reply ? 1 : 0);
      const user = userRecord(conversation, seq, message, now);
      const reply = result.reply && replyRecord(conversation, seq + 1, message._id, result.reply, now);
      const stored = await this.messages.insert(tenantId, [
        { ...user, answeredBy: reply?._id ?? null },
        ...(reply ? [reply] : []),
      ]);
      await this.rememberAfterCommit(conversation);
      return this.exchange(conversation, session, stored);
    });
  }

  /** Stores a user message whose reply failed. The session is only touched when a new conversation has to be noted in it. */
  writeUnanswered(place: ExchangePlace, message: NewUserMessage): Promise<MessageRecord> {
    const { tenantId } = place.state;
    return this.inTurn(place, async () => {
      const now = new Date();
      const { conversation, isNew } = await this.take(place, 1, now);
      if (isNew) {
        const conversationId = conversation._id.toHexString();
        await this.insertConversation(
          conversation,
          await this.sessions.save(place.state, { conversationId }),
        );
      }
      const [stored] = await this.messages.insert(tenantId, [
        userRecord(conversation, conversation.lastSeq, message, now),
      ]);
      if (!stored) throw new Error('the user message was not stored');
      await this.rememberAfterCommit(conversation);
      return stored;
    });
  }

  /**
   * Stores the reply to a user message that has none yet.
   * @throws ExchangeSupersededError when it has one by now, or its conversation is gone
   */
  complete(state: SessionState, message: MessageRecord, result: ResponderResult): Promise<StoredExchange> {
    const { tenantId } = state;
    const conversationId = message.conversationId.toHexString();
    return this.lock.run(tenantId, conversationId, () =>
      this.transactions.run(async () => {
        const now = new Date();
        const conversation = result.reply
          ? await this.conversations.reserve(tenantId, conversationId, {}, 1, now, state.id)
          : await this.conversations.find(tenantId, conversationId);
        if (!conversation) throw new ExchangeSupersededError('the conversation was erased');
        const session = await this.sessions.save(state, changesOf(result, conversationId));
        const reply =
          result.reply && replyRecord(conversation, conversation.lastSeq, message._id, result.reply, now);
        if (!(await this.messages.markAnswered(tenantId, message._id, reply?._id ?? null)))
          throw new ExchangeSupersededError('the message was answered elsewhere');
        const stored = reply ? await this.messages.insert(tenantId, [reply]) : [];
        await this.heads.changed(tenantId, conversationId);
        return this.exchange(conversation, session, [message, ...stored]);
      }),
    );
  }

  private inTurn<T>({ state, conversationId }: ExchangePlace, work: () => Promise<T>): Promise<T> {
    const run = (): Promise<T> => this.transactions.run(work);
    return conversationId === null ? run() : this.lock.run(state.tenantId, conversationId, run);
  }

  /**
   * Takes `count` places in the conversation where the participant is, or in a new one, which the caller is to insert.
   * @throws ExchangeSupersededError when the conversation was closed or erased since it was found: the responder was asked about
   * the wrong one
   */
  private async take(
    { state, channel, conversationId }: ExchangePlace,
    count: number,
    now: Date,
  ): Promise<Taken> {
    const { tenantId, participantId, id } = state;
    const condition = { participantId, channel, isActive: true } as const;
    if (conversationId !== null) {
      const here = await this.conversations.reserve(tenantId, conversationId, condition, count, now, id);
      if (here) return { conversation: here, isNew: false };
      this.locator.forget(tenantId, conversationId);
      throw new ExchangeSupersededError('the conversation was closed or erased');
    }
    const fresh = newConversation({ participantId, channel, metadata: {} }, now);
    return {
      conversation: { ...fresh, tenantId, lastSeq: count, messageCount: count, lastMessageAt: now },
      isNew: true,
    };
  }

  private async insertConversation(conversation: ConversationRecord, session: SessionState): Promise<void> {
    if (session.id !== null) conversation.sessionId = new Types.ObjectId(session.id);
    await this.conversations.insert(conversation.tenantId, conversation);
  }

  private async rememberAfterCommit(conversation: ConversationRecord): Promise<void> {
    await this.heads.changed(conversation.tenantId, conversation._id.toHexString());
    await this.transactions.afterCommit(() => {
      this.locator.remember(conversation);
    });
  }

  private exchange(
    conversation: ConversationRecord,
    session: SessionState,
    [message, reply]: readonly MessageRecord[],
  ): StoredExchange {
    if (!message) throw new Error('an exchange has a user message');
    return { conversation, message, reply: reply ?? null, session };
  }
}
