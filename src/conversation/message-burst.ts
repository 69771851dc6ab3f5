import type { UnitWriter } from '../database/index.js';
import { ExchangeSupersededError } from './conversation.errors.js';
import type { BurstRecord, ConversationRecord } from './conversation.schema.js';
import { MESSAGE_COLLECTION, type MessageRecord } from './message.schema.js';

/** A burst is answered after this many times `debounceMs`, even if it goes on. */
const MAX_DEBOUNCES = 5;

/** A burst is answered after this time, even if it goes on, milliseconds. */
const MAX_BURST_MS = 60_000;

/** A burst is answered at once when it has this many messages: a responder receives all of them. */
const MAX_BURST_MESSAGES = 50;

/**
 * Returns the burst of a conversation after this message, which continues the current one or begins another.
 * Depends on stored timestamps only, so that all processes decide alike.
 */
export function nextBurst(
  current: BurstRecord | undefined,
  { _id, seq, timestamp }: MessageRecord,
  debounceMs: number,
  isNewConversation = false,
): BurstRecord {
  const isContinued = current !== undefined && timestamp < current.until;
  const { fromSeq, since, opensConversation } = isContinued
    ? current
    : { fromSeq: seq, since: timestamp, opensConversation: isNewConversation };
  const latest = since.getTime() + Math.min(MAX_DEBOUNCES * debounceMs, MAX_BURST_MS);
  const isFull = seq - fromSeq + 1 >= MAX_BURST_MESSAGES;
  const until = isFull ? timestamp : new Date(Math.min(timestamp.getTime() + debounceMs, latest));
  return { messageId: _id, fromSeq, since, until, opensConversation };
}

/**
 * Makes a user message the last one of the conversation's burst. The one before it is then answered together
 * with it, even if its reply is being created: that reply is not stored.
 */
export function addToBurst(
  writer: UnitWriter,
  conversation: ConversationRecord,
  message: MessageRecord,
  debounceMs: number,
) {
  const burst = nextBurst(conversation.burst, message, debounceMs);
  if (burst.fromSeq === message.seq || !conversation.burst) return { burst, message };
  writer.compareAndSet({
    collection: MESSAGE_COLLECTION,
    tenantId: message.tenantId,
    id: conversation.burst.messageId,
    guard: { answeredBy: undefined },
    set: { answeredBy: message._id },
    mismatch: () => new ExchangeSupersededError('the message before it was answered by another request'),
  });
  return { burst, message: { ...message, burstFrom: burst.fromSeq } };
}

/** True if the message is the last one of a burst whose first message created the conversation. */
export const endsOpeningBurst = ({ burst }: ConversationRecord, { _id }: MessageRecord): boolean =>
  burst?.opensConversation === true && burst.messageId.equals(_id);

/**
 * Returns for how long a stored message is to wait for further ones, milliseconds; 0 if its burst has ended or
 * it is not the last message of it. Another process may have set the time, so the wait is never longer than
 * the one that it chose.
 */
export function remainingWait(
  { burst }: ConversationRecord,
  { _id, timestamp }: MessageRecord,
  now: number,
): number {
  if (!burst?.messageId.equals(_id)) return 0;
  return Math.max(0, burst.until.getTime() - Math.max(now, timestamp.getTime()));
}
