import { type ProblemDetails, ProblemError } from '../http/index.js';
import type { MessageRecord } from './message.schema.js';

export const conversationClosed = (conversationId: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'conversation_closed',
    title: 'The conversation is closed',
    detail: `Conversation "${conversationId}" accepts no messages while isActive is false. PATCH it with {"isActive":true} first.`,
    extra: { conversationId },
  });

/** @param reason why the message that has the externalId is not the one that was sent */
export const externalIdInUse = (
  { externalId = '', conversationId, _id }: Pick<MessageRecord, 'externalId' | 'conversationId' | '_id'>,
  reason: string,
): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'external_id_in_use',
    title: 'The externalId belongs to another message',
    detail: `externalId "${externalId}" belongs to message "${_id.toHexString()}" of conversation "${conversationId.toHexString()}"${reason}; an externalId must be unique for a participant on a channel.`,
    extra: {
      externalId,
      conversationId: conversationId.toHexString(),
      messageId: _id.toHexString(),
    },
  });

export const timestampOutOfOrder = (timestamp: Date, earliest: Date, latest: Date): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'timestamp_out_of_order',
    title: 'The timestamp is not in the order of the conversation',
    detail: `${timestamp.toISOString()} is not between ${earliest.toISOString()}, the time of the message before it, and the present, ${latest.toISOString()}. Import the messages of a conversation in their order, before it continues.`,
    extra: { timestamp: timestamp.toISOString() },
  });

/** Identifies the stored user message whose reply failed. */
export interface StoredUserMessage {
  conversationId: string;
  messageId: string;
  externalId?: string | undefined;
}

const storedNote = ({ messageId, externalId }: StoredUserMessage): string =>
  externalId === undefined
    ? `The user message is stored as "${messageId}" and has no reply; without an externalId, a repeated request creates a new message.`
    : `The user message is stored as "${messageId}"; send the same request with the same externalId to get its reply.`;

const storedExtra = ({ conversationId, messageId }: StoredUserMessage): Record<string, unknown> => ({
  messageStored: true,
  conversationId,
  messageId,
});

export const responderFailed = (reason: string, stored: StoredUserMessage, cause: unknown): ProblemError =>
  new ProblemError(
    {
      status: 502,
      code: 'responder_failed',
      title: 'The responder returned no reply',
      detail: `${reason} ${storedNote(stored)}`,
      extra: storedExtra(stored),
    },
    { cause },
  );

export const responderTimeout = (timeoutMs: number, stored: StoredUserMessage): ProblemError =>
  new ProblemError({
    status: 504,
    code: 'responder_timeout',
    title: 'The responder took too long',
    detail: `No reply was received within ${timeoutMs} ms. ${storedNote(stored)}`,
    extra: storedExtra(stored),
  });

export const responderBusy = (limit: number, stored: StoredUserMessage): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'responder_busy',
    title: 'The responder has too many calls in progress',
    detail: `${limit} messages are waiting for the responder (RESPONDER_MAX_CONCURRENT). ${storedNote(stored)}`,
    retryAfterSeconds: 1,
    extra: storedExtra(stored),
  });

/** A problem that occurred while storing the reply. */
export const withStoredMessage = (
  { detail: _detail, extra, ...problem }: ProblemDetails,
  stored: StoredUserMessage,
  cause: unknown,
): ProblemError =>
  new ProblemError(
    {
      ...problem,
      detail: `The reply was not stored: ${problem.title}. ${storedNote(stored)}`,
      extra: { ...extra, ...storedExtra(stored) },
    },
    { cause },
  );

export const messageDeleted = (messageId: string): ProblemError =>
  new ProblemError({
    status: 409,
    code: 'message_deleted',
    title: 'The message was deleted',
    detail: `Message ${messageId} was deleted and cannot be edited; append another one.`,
  });

/**
 * The state that the work was based on has changed in the meantime. Nothing was written; the work must start
 * over.
 */
export class ExchangeSupersededError extends ProblemError {
  constructor(reason: string) {
    super({
      status: 409,
      code: 'conversation_conflict',
      title: 'The conversation was changed concurrently',
      detail: `On every attempt ${reason}; nothing was stored. Send the request again.`,
    });
    this.name = 'ExchangeSupersededError';
  }
}
