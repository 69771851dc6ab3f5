import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import {
  type DocumentRef,
  type FieldChanges,
  GroupCommit,
  type UnitOfWork,
  type UnitWriter,
} from '../database/index.js';
import { notFound } from '../http/index.js';
import { MAX_METADATA_BYTES, type ResponderResult } from '../responder/index.js';
import { type SessionChanges, SessionService, type SessionState } from '../session/index.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationLocator } from './conversation-locator.js';
import { conversationClosed, ExchangeSupersededError, messageDeleted } from './conversation.errors.js';
import { CONVERSATION_COLLECTION, type ConversationRecord, newConversation } from './conversation.schema.js';
import { addToBurst, nextBurst } from './message-burst.js';
import type { MessageInput } from './message.dto.js';
import {
  bytesOf,
  later,
  type NewMessage,
  type NewUserMessage,
  numbered,
  replyMessage,
  userMessage,
} from './message-records.js';
import { MESSAGE_COLLECTION, type MessageRecord } from './message.schema.js';

/** The session and conversation that a user message belongs to. */
export interface ExchangeContext {
  session: SessionState;
  channel: string;
  /** Null to create a new conversation. */
  conversationId: string | null;
}

export interface StoredExchange {
  conversation: ConversationRecord;
  message: MessageRecord;
  /** Null if the responder returned no reply, or has not been called yet. */
  reply: MessageRecord | null;
  session: SessionState;
}

interface Added {
  conversation: ConversationRecord;
  stored: MessageRecord[];
}

/** Fields of a conversation of which at least one changes with every update. */
const guard = ['lastSeq', 'isActive', 'updatedAt', 'erasedAt'] as const;

const refOf = (tenantId: string, id: string): DocumentRef => ({
  collection: CONVERSATION_COLLECTION,
  tenantId,
  id: new Types.ObjectId(id),
  guard,
});

/** The conversation of the unit. Undefined if it does not exist or is being erased. */
const presentIn = ({ document }: UnitWriter): ConversationRecord | undefined =>
  document && document['erasedAt'] === undefined ? (document as ConversationRecord) : undefined;

function insertMessages(writer: UnitWriter, records: readonly MessageRecord[]): void {
  for (const record of records) writer.insert(MESSAGE_COLLECTION, record, { unique: 'externalKey' });
}

/** Appends messages to the conversation of the unit, and changes further fields of it. */
function addMessages(
  writer: UnitWriter,
  conversation: ConversationRecord,
  messages: readonly NewMessage[],
  { debounceMs = 0, ...changes }: FieldChanges & { debounceMs?: number } = {},
): Added {
  const { records, counters } = numbered(conversation, messages, writer.stamp);
  const inBurst = debounceMs > 0 ? addToBurst(writer, conversation, first(records), debounceMs) : undefined;
  const stored = inBurst ? [inBurst.message] : records;
  insertMessages(writer, stored);
  const changed = writer.change({ ...counters, ...changes, ...(inBurst && { burst: inBurst.burst }) });
  return { conversation: changed as ConversationRecord, stored };
}

const sessionOf = (sessionId: string | undefined): FieldChanges =>
  sessionId === undefined ? {} : { sessionId: new Types.ObjectId(sessionId) };

/**
 * Returns an `updatedAt` that always differs from the current one, for updates that may not change the other
 * guarded fields.
 */
const nextUpdate = (writer: UnitWriter, { updatedAt }: ConversationRecord): Date =>
  later(writer.stamp, new Date(updatedAt.getTime() + 1));

const changesOf = ({ activeGoals, context }: ResponderResult, conversationId: string): SessionChanges => ({
  ...(activeGoals && { activeGoals }),
  ...(context && { context }),
  conversationId,
});

/**
 * Performs all changes to conversations and their messages, each as one unit of work. Units of the same
 * conversation are committed in the order of the calls. Across processes, each unit expects the conversation
 * to be in the state that it was based on.
 */
@Injectable()
export class ConversationWriter {
  constructor(
    private readonly commits: GroupCommit,
    private readonly sessions: SessionService,
    private readonly heads: ConversationHeads,
    private readonly locator: ConversationLocator,
  ) {}

  async create(conversation: ConversationRecord): Promise<ConversationRecord> {
    await this.commits.commit({
      write: (writer) => {
        writer.insert(CONVERSATION_COLLECTION, conversation, { isShared: true });
      },
    });
    return conversation;
  }

  /**
   * Appends messages to a conversation.
   * @throws ProblemError 404 `conversation_not_found`, 409 `conversation_closed`
   * @throws DuplicateKeyError if a message has the externalId of another one of the participant and channel
   */
  append(
    tenantId: string,
    conversationId: string,
    inputs: readonly MessageInput[],
    timeoutMs: number,
  ): Promise<MessageRecord[]> {
    const messages = inputs.map(({ externalId, ...input }) => ({
      _id: new Types.ObjectId(),
      ...input,
      ...(externalId !== undefined && { externalId }),
    }));
    const write = (writer: UnitWriter): MessageRecord[] => {
      const conversation = presentIn(writer);
      if (!conversation) throw notFound('conversation', conversationId);
      if (!conversation.isActive) throw conversationClosed(conversationId);
      return addMessages(writer, conversation, messages).stored;
    };
    return this.changed(tenantId, conversationId, { bytes: bytesOf(messages), write }, timeoutMs);
  }

  /**
   * Updates fields of a conversation. `changes` receives the current state; errors that it throws are passed
   * on. If it returns undefined, nothing is written.
   * @throws ProblemError 404 `conversation_not_found`
   */
  update(
    tenantId: string,
    conversationId: string,
    changes: (
      conversation: ConversationRecord,
      writer: UnitWriter,
    ) => Partial<ConversationRecord> | undefined,
    timeoutMs?: number,
  ): Promise<ConversationRecord> {
    const write = (writer: UnitWriter): ConversationRecord => {
      const conversation = presentIn(writer);
      if (!conversation) throw notFound('conversation', conversationId);
      const fields = changes(conversation, writer);
      if (!fields) return conversation;
      return writer.change({ ...fields, updatedAt: nextUpdate(writer, conversation) }) as ConversationRecord;
    };
    return this.changed(tenantId, conversationId, { bytes: bytesOf([]), write }, timeoutMs);
  }

  /**
   * Stores a user message without a reply. The session is changed only to record a newly created
   * conversation, which also prevents two processes from creating one each.
   * @param debounceMs if not 0, it continues or begins a burst
   * @throws SessionConflictError
   * @throws ExchangeSupersededError if the conversation was closed or erased
   */
  async storeUserMessage(
    context: ExchangeContext,
    message: NewUserMessage,
    timeoutMs: number,
    debounceMs = 0,
  ): Promise<Omit<StoredExchange, 'reply'>> {
    const { session, conversationId } = context;
    const messages = [userMessage(message)];
    if (conversationId !== null) {
      const unit = this.exchangeUnit(context, messages, { debounceMs });
      const { conversation, stored } = await this.changed(session.tenantId, conversationId, unit, timeoutMs);
      return { conversation, message: first(stored), session };
    }
    const opened = new Types.ObjectId();
    const changes = { conversationId: opened.toHexString() };
    const saved = await this.sessions.saveWith(
      session,
      changes,
      ({ id }) => this.exchangeUnit(context, messages, { opened, sessionId: id, debounceMs }),
      timeoutMs,
    );
    const { conversation, stored } = saved.result;
    await this.announce(conversation);
    return { conversation, message: first(stored), session: saved.session };
  }

  /**
   * Stores a user message with its reply and the session. The message is marked as answered even if there is
   * no reply.
   * @throws SessionConflictError
   * @throws ExchangeSupersededError if the conversation was closed or erased
   */
  async storeExchange(
    context: ExchangeContext,
    message: NewUserMessage,
    result: ResponderResult,
    timeoutMs: number,
  ): Promise<StoredExchange> {
    const { session, conversationId } = context;
    const opened = new Types.ObjectId(conversationId ?? undefined);
    const reply = replyMessage(result, message._id);
    const messages = [userMessage(message, reply?._id ?? null), ...(reply ? [reply] : [])];
    const saved = await this.sessions.saveWith(
      session,
      changesOf(result, opened.toHexString()),
      ({ id }) => this.exchangeUnit(context, messages, { opened, sessionId: id }),
      timeoutMs,
    );
    const { conversation, stored } = saved.result;
    await this.announce(conversation);
    return { conversation, message: first(stored), reply: stored[1] ?? null, session: saved.session };
  }

  /**
   * Stores the reply to a stored user message, and the session.
   * @throws SessionConflictError
   * @throws ExchangeSupersededError if the message has been answered in the meantime, or its conversation was
   * erased
   */
  async storeReply(
    session: SessionState,
    message: MessageRecord,
    result: ResponderResult,
    timeoutMs: number,
  ): Promise<StoredExchange> {
    const { tenantId } = session;
    const conversationId = message.conversationId.toHexString();
    const reply = replyMessage(result, message._id);
    const answered = { answeredBy: reply?._id ?? null };
    const saved = await this.sessions.saveWith(
      session,
      changesOf(result, conversationId),
      ({ id }) => ({
        ref: refOf(tenantId, conversationId),
        bytes: bytesOf(reply ? [reply] : []),
        write: (writer) => {
          const conversation = presentIn(writer);
          if (!conversation) throw new ExchangeSupersededError('the conversation was erased');
          writer.compareAndSet({
            collection: MESSAGE_COLLECTION,
            tenantId,
            id: message._id,
            guard: { answeredBy: undefined },
            set: answered,
            mismatch: () => new ExchangeSupersededError('the message was answered by another request'),
          });
          // The next message begins another burst.
          const isBurst = conversation.burst?.messageId.equals(message._id) === true;
          const changes = isBurst ? { burst: undefined } : {};
          if (reply) return addMessages(writer, conversation, [reply], { ...sessionOf(id), ...changes });
          if (isBurst) writer.change({ ...changes, updatedAt: nextUpdate(writer, conversation) });
          return { conversation, stored: [] };
        },
      }),
      timeoutMs,
    );
    const { conversation, stored } = saved.result;
    await this.announce(conversation);
    return {
      conversation,
      message: { ...message, ...answered },
      reply: stored[0] ?? null,
      session: saved.session,
    };
  }

  /**
   * Changes a message that is not deleted, and fields of its conversation.
   * @throws ProblemError 404 `conversation_not_found`, 409 `message_deleted` if it was deleted in the meantime
   */
  changeMessage(
    { tenantId, conversationId: ofConversation, _id }: MessageRecord,
    changes: (writer: UnitWriter) => FieldChanges,
    ofTheConversation: (conversation: ConversationRecord) => Partial<ConversationRecord> = () => ({}),
  ): Promise<void> {
    const conversationId = ofConversation.toHexString();
    const write = (writer: UnitWriter): void => {
      const conversation = presentIn(writer);
      if (!conversation) throw notFound('conversation', conversationId);
      writer.compareAndSet({
        collection: MESSAGE_COLLECTION,
        tenantId,
        id: _id,
        guard: { deletedAt: undefined },
        set: changes(writer),
        mismatch: () => messageDeleted(_id.toHexString()),
      });
      writer.change({ ...ofTheConversation(conversation), updatedAt: nextUpdate(writer, conversation) });
    };
    // Content and metadata of one message at most.
    return this.changed(tenantId, conversationId, { bytes: 8 * MAX_METADATA_BYTES, write });
  }

  /**
   * Hides a conversation from every read and write.
   * @throws ProblemError 404 `conversation_not_found`
   */
  async markErased(tenantId: string, conversationId: string): Promise<void> {
    await this.update(tenantId, conversationId, (_conversation, { stamp }) => ({ erasedAt: stamp }));
    this.locator.forget(tenantId, conversationId);
  }

  /** Like `markErased`, for a conversation that is erased with everything of its participant. */
  async markErasedWithParticipant(tenantId: string, conversationId: string): Promise<void> {
    await this.update(tenantId, conversationId, (_conversation, { stamp }) => ({
      erasedAt: stamp,
      isWithParticipant: true,
    }));
    this.locator.forget(tenantId, conversationId);
  }

  /** Removes what this process remembers of a conversation that was deleted. */
  forget(tenantId: string, conversationId: string): void {
    this.commits.forget(refOf(tenantId, conversationId));
    this.locator.forget(tenantId, conversationId);
  }

  /** Appends the messages to the context's conversation, or to a new one with the id `opened`. */
  private exchangeUnit(
    { session: { tenantId, participantId }, channel, conversationId }: ExchangeContext,
    messages: readonly NewMessage[],
    {
      opened = new Types.ObjectId(),
      sessionId,
      debounceMs = 0,
    }: { opened?: Types.ObjectId; sessionId?: string; debounceMs?: number } = {},
  ): UnitOfWork<Added> {
    const bytes = bytesOf(messages);
    if (conversationId === null)
      return {
        bytes,
        write: (writer) => {
          const empty = newConversation(
            tenantId,
            { participantId, channel, metadata: {} },
            writer.stamp,
            opened,
          );
          const { records, counters } = numbered(empty, messages, writer.stamp);
          const conversation: ConversationRecord = {
            ...empty,
            ...counters,
            ...sessionOf(sessionId),
            ...(debounceMs > 0 && { burst: nextBurst(undefined, first(records), debounceMs, true) }),
          };
          writer.insert(CONVERSATION_COLLECTION, conversation, { isShared: true });
          insertMessages(writer, records);
          return { conversation, stored: records };
        },
      };
    return {
      ref: refOf(tenantId, conversationId),
      bytes,
      write: (writer) => {
        const conversation = presentIn(writer);
        const isOpen =
          conversation?.isActive === true &&
          conversation.participantId === participantId &&
          conversation.channel === channel;
        if (!isOpen) throw new ExchangeSupersededError('the conversation was closed or erased');
        return addMessages(writer, conversation, messages, { ...sessionOf(sessionId), debounceMs });
      },
    };
  }

  private async changed<T>(
    tenantId: string,
    conversationId: string,
    unit: UnitOfWork<T>,
    timeoutMs?: number,
  ): Promise<T> {
    const result = await this.commits.commit({ ...unit, ref: refOf(tenantId, conversationId) }, timeoutMs);
    await this.heads.changed(tenantId, conversationId);
    return result;
  }

  private async announce(conversation: ConversationRecord): Promise<void> {
    if (conversation.isActive) this.locator.remember(conversation);
    await this.heads.changed(conversation.tenantId, conversation._id.toHexString());
  }
}

function first(messages: readonly MessageRecord[]): MessageRecord {
  const [message] = messages;
  if (!message) throw new Error('an exchange has a user message');
  return message;
}
