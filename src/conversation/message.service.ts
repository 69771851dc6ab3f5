import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { LRUCache } from 'lru-cache';
import { withRetries } from '../common/index.js';
import {
  DuplicateKeyError,
  GroupCommit,
  positionBy,
  ProcessRegistry,
  transactionContention,
} from '../database/index.js';
import {
  dateIdCursor,
  type IdCursor,
  idCursor,
  invalidCursor,
  notFound,
  type Page,
  seqCursor,
  readPage,
  validationFailed,
} from '../http/index.js';
import { emptyMessage, isNotEmpty } from '../responder/index.js';
import { ErasedIds } from '../tenant/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationWriter } from './conversation-writer.js';
import { externalIdInUse, messageDeleted } from './conversation.errors.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import { DerivedData } from './derived-data.js';
import { type Correspondent, externalKeyOf, externalKeyRange } from './external-key.js';
import { mergedMetadata } from './merged-metadata.js';
import type {
  ConversationMessagesQuery,
  EditMessageBody,
  MessageInput,
  MessagesQuery,
} from './message.dto.js';
import { MessageRepository } from './message.repository.js';
import { MESSAGE_COLLECTION, type MessageRecord } from './message.schema.js';
import { checkRepeated } from './repeated-message.js';

export interface AppendResult {
  /** One for each message of the request, in the same order, stored by this request or earlier. */
  messages: MessageRecord[];
  /** False if every message was already stored and nothing was written. */
  written: boolean;
}

/**
 * Upper bound for the time other processes take to commit a message plus the difference of their clocks,
 * milliseconds.
 */
const SETTLE_MS = 1000;

/** Number of conversations whose participant and channel are remembered. */
const MAX_CORRESPONDENTS = 10_000;

const positionOf = positionBy('timestamp');

@Injectable()
export class MessageService {
  /** By tenant and conversation. They never change. */
  private readonly correspondents = new LRUCache<string, Correspondent>({ max: MAX_CORRESPONDENTS });

  constructor(
    private readonly conversations: ConversationRepository,
    private readonly heads: ConversationHeads,
    private readonly messages: MessageRepository,
    private readonly eraser: ConversationEraser,
    private readonly writer: ConversationWriter,
    private readonly commits: GroupCommit,
    private readonly processes: ProcessRegistry,
    private readonly derived: DerivedData,
    private readonly erasedIds: ErasedIds,
  ) {}

  /**
   * Appends messages to a conversation, all or none. For a message that is sent again with its externalId, the
   * stored one is returned.
   * @throws ProblemError 404 `conversation_not_found`, 409 `conversation_closed`, 409 `external_id_in_use` by
   * another message, 410 `erased` if the data of its participant was erased
   */
  append(tenantId: string, conversationId: string, inputs: readonly MessageInput[]): Promise<AppendResult> {
    return withRetries(async ({ remainingMs }) => {
      const known = await this.knownMessages(tenantId, conversationId, inputs);
      const isKnown = ({ externalId }: MessageInput): boolean =>
        externalId !== undefined && known.has(externalId);
      const unknown = inputs.filter((input) => !isKnown(input));
      if (unknown.length === 0) await this.requireConversation(tenantId, conversationId);
      const stored =
        unknown.length === 0 ? [] : await this.writer.append(tenantId, conversationId, unknown, remainingMs);
      const fresh = stored.values();
      const messages = inputs.map((input) => {
        const message = isKnown(input) ? known.get(input.externalId ?? '') : fresh.next().value;
        if (!message) throw new Error('an appended message has no stored counterpart');
        return message;
      });
      return { messages, written: stored.length > 0 };
      // Another request has stored one of these externalIds in the meantime; the retry finds it.
    }, isExternalIdTaken).catch((error: unknown) => {
      throw isExternalIdTaken(error) ? transactionContention() : error;
    });
  }

  /**
   * Returns a page of a conversation in order of `seq`.
   * @throws ProblemError 404 `conversation_not_found`, 400 `invalid_cursor`
   */
  async listOfConversation(
    tenantId: string,
    conversationId: string,
    query: ConversationMessagesQuery,
  ): Promise<Page<MessageRecord>> {
    const { limit, cursor, afterSeq, beforeSeq } = query;
    const isBackward = afterSeq === undefined && beforeSeq !== undefined;
    const from = seqCursor[isBackward ? 'before' : 'after'].decode(cursor);
    const conversation = await this.heads.find(tenantId, conversationId);
    if (!conversation) throw notFound('conversation', conversationId);
    return isBackward
      ? this.pageBefore(conversation, from ?? beforeSeq, limit)
      : this.pageAfter(tenantId, conversationId, { after: from ?? afterSeq, before: beforeSeq }, limit);
  }

  /**
   * Lists messages of the tenant, newest first. With `since`, a message is returned only once no message with
   * an earlier timestamp can still be committed: a client that polls with the newest timestamp it has
   * received misses none.
   */
  async list(tenantId: string, query: MessagesQuery): Promise<Page<MessageRecord>> {
    const { limit, cursor, externalId, channel, participantId, ...filter } = query;
    if (externalId !== undefined) return this.listByExternalId(tenantId, { ...query, externalId });
    const from = dateIdCursor.decode(cursor);
    if (filter.since) filter.until = earlier(filter.until, await this.settledBefore());
    const hidden = await this.conversations.erasing(tenantId);
    const read = (count: number, after = from): Promise<MessageRecord[]> =>
      this.messages.list(tenantId, filter, hidden, count, after);
    return readPage(dateIdCursor, { limit, from, positionOf, read }, (message) => message);
  }

  /**
   * Changes the content of a message. It keeps its `seq` and `timestamp`. Transcripts that exist already are
   * not changed.
   * @throws ProblemError 404 `conversation_not_found`, `message_not_found`, 409 `message_deleted`, 400 if
   * nothing of its content would be left, or the merged metadata exceeds its limits
   */
  async edit(
    tenantId: string,
    conversationId: string,
    id: string,
    { content, attachments, metadata }: EditMessageBody,
  ): Promise<MessageRecord> {
    await this.requireConversation(tenantId, conversationId);
    const message = await this.requireMessage(tenantId, conversationId, id);
    if (message.deletedAt) throw messageDeleted(id);
    const changes = {
      ...(content !== undefined && { content }),
      ...(attachments !== undefined && { attachments: attachments ?? [] }),
      ...(metadata !== undefined && { metadata: mergedMetadata(message.metadata, metadata) }),
    };
    if (Object.keys(changes).length === 0) return message;
    const isEmptied = content !== undefined || attachments !== undefined;
    if (isEmptied && !isNotEmpty({ ...message, ...changes }))
      throw validationFailed([{ path: 'content', message: emptyMessage.message }]);
    await this.writer.changeMessage(message, ({ stamp }) => ({ ...changes, editedAt: stamp }));
    return this.requireMessage(tenantId, conversationId, id);
  }

  /**
   * Removes the content of a message, which keeps its place in the conversation, and the transcripts of the
   * conversation, which may contain it. Has no effect on a message that is deleted already.
   * @throws ProblemError 404 `conversation_not_found`, `message_not_found`
   */
  async delete(tenantId: string, conversationId: string, id: string): Promise<void> {
    const conversation = await this.requireConversation(tenantId, conversationId);
    const message = await this.requireMessage(tenantId, conversationId, id);
    if (message.deletedAt) return;
    // Before the commit, so that a request that is repeated after a crash does not find it deleted and the
    // transcripts present.
    await this.derived.eraseTranscripts(conversation);
    const nothing = { content: '', attachments: [], metadata: {}, editedAt: undefined };
    await this.writer.changeMessage(
      message,
      ({ stamp }) => ({
        ...nothing,
        deletedAt: stamp,
        // It is not answered any more.
        ...(message.role === 'user' && { answeredBy: message.answeredBy ?? null }),
      }),
      ({ burst }) => ({
        // Closing the conversation again creates a transcript without the message.
        closing: undefined,
        // The next message cannot take over its burst.
        ...(burst?.messageId.equals(message._id) && { burst: undefined }),
      }),
    );
    // Of a closing that happened in the meantime.
    await this.derived.eraseTranscripts(await this.requireConversation(tenantId, conversationId));
  }

  /**
   * Lists the messages with an externalId: one of each participant and channel. The order does not depend on
   * when they were stored, and a cursor is the id of the last message of its page.
   */
  private async listByExternalId(
    tenantId: string,
    { limit, cursor, externalId, channel, participantId, ...filter }: MessagesQuery & { externalId: string },
  ): Promise<Page<MessageRecord>> {
    const given = idCursor.decode(cursor);
    const last = given && (await this.messages.find(tenantId, new Types.ObjectId(given.id)));
    if (given && last?.externalId !== externalId) throw invalidCursor();
    const { $gte, $lt } = externalKeyRange(externalId, channel, participantId);
    const hidden = await this.conversations.erasing(tenantId);
    const positionOf = ({ _id, externalKey }: MessageRecord): ExternalKeyPosition => ({
      id: _id.toHexString(),
      externalKey,
    });
    const from = last && positionOf(last);
    const read = (count: number, after = from): Promise<MessageRecord[]> => {
      const range = after?.externalKey === undefined ? { $gte, $lt } : { $gt: after.externalKey, $lt };
      return this.messages.listByExternalKey(tenantId, range, filter, hidden, count);
    };
    return readPage(idCursor, { limit, from, positionOf, read }, (message) => message);
  }

  /**
   * Returns the time before which no further message will be committed. The commits of other servers in
   * progress are not known, so they are given SETTLE_MS. Only servers store messages.
   */
  private async settledBefore(): Promise<Date> {
    const othersServe = await this.processes.otherServersAlive();
    const settled = this.commits.settledUntil().getTime() + 1;
    return new Date(othersServe ? Math.min(settled, Date.now() - SETTLE_MS) : settled);
  }

  /**
   * Looks up stored messages by the externalIds of `inputs`. An externalId held by a conversation being
   * erased is freed first.
   */
  private async knownMessages(
    tenantId: string,
    conversationId: string,
    inputs: readonly MessageInput[],
  ): Promise<ReadonlyMap<string, MessageRecord>> {
    const named = inputs.flatMap((input): [string, MessageInput][] =>
      input.externalId === undefined ? [] : [[input.externalId, input]],
    );
    if (named.length === 0) return new Map();
    const sent = new Map(named);
    const correspondent = await this.correspondentOf(tenantId, conversationId);
    const keys = [...sent.keys()].map((externalId) => externalKeyOf(correspondent, externalId));
    const known = new Map<string, MessageRecord>();
    for (const message of await this.messages.findByExternalKeys(tenantId, keys)) {
      const { externalId = '' } = message;
      const input = sent.get(externalId);
      if (message.conversationId.toHexString() === conversationId && input) {
        checkRepeated(message, input);
        known.set(externalId, message);
      } else if (!(await this.eraser.finishIfErased(tenantId, message.conversationId)))
        throw externalIdInUse(message, '');
    }
    const unknown = [...sent.keys()].filter((externalId) => !known.has(externalId));
    await this.erasedIds.refuse(
      tenantId,
      'message',
      unknown.map((externalId) => externalKeyOf(correspondent, externalId)),
    );
    return known;
  }

  /** @throws ProblemError 404 `conversation_not_found` */
  private async correspondentOf(tenantId: string, conversationId: string): Promise<Correspondent> {
    const key = correspondentKey(tenantId, conversationId);
    const known = this.correspondents.get(key);
    if (known) return known;
    const conversation = await this.conversations.find(tenantId, conversationId);
    if (!conversation) throw notFound('conversation', conversationId);
    const { participantId, channel } = conversation;
    this.correspondents.set(key, { participantId, channel });
    return { participantId, channel };
  }

  /** Removes what this process remembers of a conversation that is being erased. */
  forget(tenantId: string, conversationId: string): void {
    this.correspondents.delete(correspondentKey(tenantId, conversationId));
  }

  private async requireConversation(tenantId: string, conversationId: string): Promise<ConversationRecord> {
    const conversation = await this.conversations.find(tenantId, conversationId);
    if (!conversation) throw notFound('conversation', conversationId);
    return conversation;
  }

  private async requireMessage(tenantId: string, conversationId: string, id: string): Promise<MessageRecord> {
    const message = await this.messages.find(tenantId, new Types.ObjectId(id));
    if (message?.conversationId.toHexString() !== conversationId) throw notFound('message', id);
    return message;
  }

  private pageAfter(
    tenantId: string,
    conversationId: string,
    range: { after: number | undefined; before: number | undefined },
    limit: number,
  ): Promise<Page<MessageRecord>> {
    const read = (count: number, after: number | undefined): Promise<MessageRecord[]> =>
      this.messages.first(tenantId, conversationId, { ...range, after }, count);
    return readPage(
      seqCursor.after,
      { limit, from: range.after, positionOf: seqOf, read },
      (message) => message,
    );
  }

  /** Reads backward; each page is returned in ascending order. */
  private async pageBefore(
    { tenantId, _id, lastSeq }: ConversationRecord,
    from: number,
    limit: number,
  ): Promise<Page<MessageRecord>> {
    const conversationId = _id.toHexString();
    const read = async (count: number, before = from): Promise<MessageRecord[]> => {
      const rows = await this.messages.last(tenantId, conversationId, { before }, count, lastSeq);
      return rows.toReversed();
    };
    const { data, nextCursor } = await readPage(
      seqCursor.before,
      { limit, from, positionOf: seqOf, read },
      (message) => message,
    );
    return { data: data.reverse(), nextCursor };
  }
}

/** A position in the list of messages with an externalId. Its cursor is the id alone. */
type ExternalKeyPosition = IdCursor & { externalKey?: string | undefined };

const correspondentKey = (tenantId: string, conversationId: string): string =>
  `${tenantId}\0${conversationId}`;

const seqOf = ({ seq }: MessageRecord): number => seq;

const earlier = (a: Date | undefined, b: Date): Date => (a && a < b ? a : b);

/** True if a message of the participant and channel already has the externalId, or the `_id` derived from it. */
export const isExternalIdTaken = (error: unknown): boolean =>
  error instanceof DuplicateKeyError &&
  error.collection === MESSAGE_COLLECTION &&
  (error.fields.includes('externalKey') || error.fields.includes('_id'));
