import { Injectable } from '@nestjs/common';
import { withRetries } from '../common/index.js';
import {
  DuplicateKeyError,
  GroupCommit,
  positionBy,
  ProcessRegistry,
  transactionContention,
} from '../database/index.js';
import { dateIdCursor, notFound, type Page, readPage, seqCursor } from '../http/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationWriter } from './conversation-writer.js';
import { externalIdInUse } from './conversation.errors.js';
import { ConversationRepository } from './conversation.repository.js';
import type { ConversationRecord } from './conversation.schema.js';
import type { ConversationMessagesQuery, MessageInput, MessagesQuery } from './message.dto.js';
import { MessageRepository } from './message.repository.js';
import { MESSAGE_COLLECTION, type MessageRecord } from './message.schema.js';

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

const positionOf = positionBy('timestamp');

@Injectable()
export class MessageService {
  constructor(
    private readonly conversations: ConversationRepository,
    private readonly heads: ConversationHeads,
    private readonly messages: MessageRepository,
    private readonly eraser: ConversationEraser,
    private readonly writer: ConversationWriter,
    private readonly commits: GroupCommit,
    private readonly processes: ProcessRegistry,
  ) {}

  /**
   * Appends messages to a conversation, all or none. For a known externalId, the stored message is returned.
   * @throws ProblemError 404 `conversation_not_found`, 409 `conversation_closed`, 409 `external_id_in_use` by
   * another conversation
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
    const { limit, cursor, ...filter } = query;
    const from = dateIdCursor.decode(cursor);
    if (filter.since) filter.until = earlier(filter.until, await this.settledBefore());
    const hidden = await this.conversations.erasing(tenantId);
    const read = (count: number, after = from): Promise<MessageRecord[]> =>
      this.messages.list(tenantId, filter, hidden, count, after);
    return readPage(dateIdCursor, { limit, from, positionOf, read }, (message) => message);
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
    const externalIds = inputs.flatMap(({ externalId }) => externalId ?? []);
    if (externalIds.length === 0) return new Map();
    const known = new Map<string, MessageRecord>();
    for (const message of await this.messages.findByExternalIds(tenantId, externalIds)) {
      const { externalId = '' } = message;
      const owner = message.conversationId.toHexString();
      if (owner === conversationId) known.set(externalId, message);
      else if (!(await this.eraser.finishIfErased(tenantId, message.conversationId)))
        throw externalIdInUse(externalId, owner);
    }
    return known;
  }

  private async requireConversation(tenantId: string, conversationId: string): Promise<void> {
    if (!(await this.conversations.find(tenantId, conversationId)))
      throw notFound('conversation', conversationId);
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

const seqOf = ({ seq }: MessageRecord): number => seq;

const earlier = (a: Date | undefined, b: Date): Date => (a && a < b ? a : b);

/** True if a message of the tenant already has the externalId, or the `_id` derived from it. */
export const isExternalIdTaken = (error: unknown): boolean =>
  error instanceof DuplicateKeyError &&
  error.collection === MESSAGE_COLLECTION &&
  (error.fields.includes('externalId') || error.fields.includes('_id'));
