import { Types } from 'mongoose';
import { MAX_METADATA_BYTES, type ResponderResult } from '../responder/index.js';
import { timestampOutOfOrder } from './conversation.errors.js';
import type { ConversationRecord } from './conversation.schema.js';
import { externalKeyOf } from './external-key.js';
import type { MessageRecord } from './message.schema.js';

/** The user message of an exchange, before it is stored. */
export type NewUserMessage = Pick<MessageRecord, '_id' | 'content' | 'attachments'> & {
  metadata?: Record<string, unknown> | undefined;
  externalId?: string | undefined;
};

/** A message that is not numbered yet. */
export type NewMessage = Omit<MessageRecord, 'tenantId' | 'conversationId' | 'seq' | 'timestamp'> & {
  /** Of an imported message. */
  timestamp?: Date | undefined;
};

export const later = (a: Date, b: Date | undefined): Date => (b && b > a ? b : a);

function timestampOf({ timestamp }: NewMessage, stamp: Date, previous: Date | undefined): Date {
  if (timestamp === undefined) return later(stamp, previous);
  if (timestamp > stamp || (previous && timestamp < previous))
    throw timestampOutOfOrder(timestamp, previous ?? new Date(0), stamp);
  return timestamp;
}

/**
 * Turns messages into records with the next `seq` values, and returns them with the resulting fields of the
 * conversation. Their timestamp is the time at which the unit was submitted, but never earlier than that of
 * the previous message, because clocks differ and may be set back. Imported messages have their own timestamps.
 * @throws ProblemError 409 `timestamp_out_of_order`
 */
export function numbered(conversation: ConversationRecord, messages: readonly NewMessage[], stamp: Date) {
  const { tenantId, _id, lastSeq, messageCount, lastMessageAt, updatedAt } = conversation;
  let timestamp = lastMessageAt;
  const records = messages.map((message, index): MessageRecord => {
    timestamp = timestampOf(message, stamp, timestamp);
    return {
      ...message,
      ...(message.externalId !== undefined && {
        externalKey: externalKeyOf(conversation, message.externalId),
      }),
      tenantId,
      conversationId: _id,
      seq: lastSeq + 1 + index,
      timestamp,
    };
  });
  const latest = timestamp ?? stamp;
  const counters = {
    lastSeq: lastSeq + records.length,
    messageCount: messageCount + records.length,
    lastMessageAt: latest,
    updatedAt: later(later(stamp, latest), updatedAt),
  };
  return { records, counters };
}

export const userMessage = (
  { _id, content, attachments, metadata = {}, externalId }: NewUserMessage,
  answeredBy?: Types.ObjectId | null,
): NewMessage => ({
  _id,
  role: 'user',
  content,
  attachments,
  ...(externalId !== undefined && { externalId }),
  metadata,
  ...(answeredBy !== undefined && { answeredBy }),
});

export const replyMessage = ({ reply }: ResponderResult, replyTo: Types.ObjectId): NewMessage | null =>
  reply && {
    _id: new Types.ObjectId(),
    role: 'assistant',
    content: reply.content,
    attachments: reply.attachments ?? [],
    metadata: reply.metadata ?? {},
    replyTo,
  };

/** Estimates the bytes of messages and their conversation; never less than their actual size. */
export const bytesOf = (
  messages: readonly Pick<NewMessage, 'content' | 'attachments' | 'metadata'>[],
): number =>
  messages.reduce(
    (bytes, { content, attachments, metadata }) =>
      bytes + 512 + 3 * content.length + jsonLength(attachments) + jsonLength(metadata),
    MAX_METADATA_BYTES,
  );

/** Skips serialization for empty values, which are the most common. */
const jsonLength = (value: object): number =>
  Object.keys(value).length === 0 ? 0 : 2 * JSON.stringify(value).length;
