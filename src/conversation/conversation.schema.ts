import { Schema, Types } from 'mongoose';

export const CONVERSATION_MODEL = 'Conversation';
export const CONVERSATION_COLLECTION = 'conversations';

/** Describes the last time a conversation was closed. */
export interface ClosingRecord {
  /** `seq` of the last message in the transcript. */
  seq: number;
  transcriptId: Types.ObjectId;
  /** Id of the job that creates the transcript. */
  jobId: Types.ObjectId;
}

/** The newest messages of a conversation that get one reply together, with a responder's `debounceMs`. */
export interface BurstRecord {
  /** The last of them, whose request gets the reply. */
  messageId: Types.ObjectId;
  /** `seq` and `timestamp` of the first. */
  fromSeq: number;
  since: Date;
  /** A message with an earlier timestamp continues the burst; a later one begins another. */
  until: Date;
  /** True if the conversation was created for the first. */
  opensConversation: boolean;
}

/** A thread between a tenant and a participant on a channel, as stored. */
export interface ConversationRecord {
  _id: Types.ObjectId;
  tenantId: string;
  participantId: string;
  channel: string;
  title?: string;
  isActive: boolean;
  metadata: Record<string, unknown>;
  /** The session that last wrote to the conversation. */
  sessionId?: Types.ObjectId;
  /** Messages stored; equals `lastSeq` because `seq` has no gaps. */
  messageCount: number;
  lastSeq: number;
  lastMessageAt?: Date;
  /** The time since which it accepts no messages. */
  closedAt?: Date;
  closing?: ClosingRecord;
  /** Removed once it is answered. */
  burst?: BurstRecord;
  createdAt: Date;
  updatedAt: Date;
  /**
   * Set when its erasure begins, or when it has been copied to an archive. From then on, reads and writes no
   * longer find it.
   */
  erasedAt?: Date;
  /** The archive that contains it, if it is deleted for that reason, or is being restored from it. */
  archiveId?: Types.ObjectId;
  /**
   * True if this only stands for a conversation of which a part of the messages has been restored. `erasedAt`
   * is then the time of the last step. If no further one follows, the messages are deleted.
   */
  isRestoring?: boolean;
  /**
   * True if everything of its participant is being erased: its externalIds are remembered before its messages are
   * deleted, and are not accepted again.
   */
  isWithParticipant?: boolean;
}

export const indexByUpdate = { tenantId: 1, isActive: 1, updatedAt: -1, _id: -1 } as const;

const closingSchema = new Schema<ClosingRecord>(
  {
    seq: { type: Number, required: true },
    transcriptId: { type: Schema.Types.ObjectId, required: true },
    jobId: { type: Schema.Types.ObjectId, required: true },
  },
  { _id: false, id: false, versionKey: false },
);

const burstSchema = new Schema<BurstRecord>(
  {
    messageId: { type: Schema.Types.ObjectId, required: true },
    fromSeq: { type: Number, required: true },
    since: { type: Date, required: true },
    until: { type: Date, required: true },
    opensConversation: { type: Boolean, required: true },
  },
  { _id: false, id: false, versionKey: false },
);

export const conversationSchema = new Schema<ConversationRecord>(
  {
    tenantId: { type: String, required: true },
    participantId: { type: String, required: true },
    channel: { type: String, required: true },
    title: { type: String },
    isActive: { type: Boolean, required: true },
    metadata: { type: Schema.Types.Mixed, required: true },
    sessionId: { type: Schema.Types.ObjectId },
    messageCount: { type: Number, required: true },
    lastSeq: { type: Number, required: true },
    lastMessageAt: { type: Date },
    closedAt: { type: Date },
    closing: { type: closingSchema },
    burst: { type: burstSchema },
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
    erasedAt: { type: Date },
    archiveId: { type: Schema.Types.ObjectId },
    isRestoring: { type: Boolean },
    isWithParticipant: { type: Boolean },
  },
  { collection: CONVERSATION_COLLECTION, versionKey: false, autoIndex: false, minimize: false },
);

// Only the last of these indexes has a key that changes with every message, so an append updates one index
// entry instead of four.
// In order of creation: GET /v1/conversations, with and without `active`.
conversationSchema.index({ tenantId: 1, isActive: 1, _id: -1 });
// Of one participant: GET /v1/conversations?participantId, and the conversation that an inbound message
// continues.
conversationSchema.index({ tenantId: 1, participantId: 1, isActive: 1, _id: -1 });
// On one channel: GET /v1/conversations?channel.
conversationSchema.index({ tenantId: 1, channel: 1, _id: -1 });
// Most recently updated first: GET /v1/conversations?order=updated.
conversationSchema.index(indexByUpdate);
// Conversations being erased: hidden from the message lists, and finished by the sweep after a crash.
// Contains only those rows.
conversationSchema.index(
  { tenantId: 1, erasedAt: 1 },
  { partialFilterExpression: { erasedAt: { $exists: true } } },
);

/** Creates a conversation record without messages; it is not stored. */
export const newConversation = (
  tenantId: string,
  fields: Pick<ConversationRecord, 'participantId' | 'channel' | 'metadata'> & { title?: string | undefined },
  now: Date,
  _id = new Types.ObjectId(),
): ConversationRecord => {
  const { participantId, channel, title, metadata } = fields;
  return {
    _id,
    tenantId,
    participantId,
    channel,
    ...(title !== undefined && { title }),
    isActive: true,
    metadata,
    messageCount: 0,
    lastSeq: 0,
    createdAt: now,
    updatedAt: now,
  };
};
