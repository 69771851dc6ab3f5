import { Schema, type Types } from 'mongoose';
import { REPLACED_INDEXES, type ReplacedIndex } from '../database/index.js';
import type { Attachment, MessageRole } from '../responder/index.js';
import { addExternalKeys } from './external-key.js';

export const MESSAGE_MODEL = 'Message';
export const MESSAGE_COLLECTION = 'messages';

/** One utterance in a conversation, as stored. */
export interface MessageRecord {
  _id: Types.ObjectId;
  tenantId: string;
  conversationId: Types.ObjectId;
  /** Position in the conversation: 1, 2, 3 … without gaps. */
  seq: number;
  role: MessageRole;
  content: string;
  attachments: Attachment[];
  /** The sender's own id of the message; unique for its participant and channel. */
  externalId?: string;
  /** `externalKeyOf` the externalId, if there is one; unique within the tenant. */
  externalKey?: string;
  metadata: Record<string, unknown>;
  timestamp: Date;
  /** On a reply: the user message that it replies to. */
  replyTo?: Types.ObjectId;
  /**
   * On a processed user message: its reply, or null if the responder returned none. Absent if not yet
   * answered. In a burst: the next user message, together with which it is answered.
   */
  answeredBy?: Types.ObjectId | null;
  /** On a user message that continues a burst: the `seq` of the first message of the burst. */
  burstFrom?: number;
  /** When its content was last changed. */
  editedAt?: Date;
  /** When it was deleted. It keeps its `seq`, but nothing of its content. */
  deletedAt?: Date;
}

export const messageSchema = new Schema<MessageRecord>(
  {
    tenantId: { type: String, required: true },
    conversationId: { type: Schema.Types.ObjectId, required: true },
    seq: { type: Number, required: true },
    role: { type: String, required: true },
    content: { type: String },
    attachments: { type: Schema.Types.Mixed, required: true },
    externalId: { type: String },
    externalKey: { type: String },
    metadata: { type: Schema.Types.Mixed, required: true },
    timestamp: { type: Date, required: true },
    replyTo: { type: Schema.Types.ObjectId },
    answeredBy: { type: Schema.Types.ObjectId },
    burstFrom: { type: Number },
    editedAt: { type: Date },
    deletedAt: { type: Date },
  },
  { collection: MESSAGE_COLLECTION, versionKey: false, autoIndex: false, minimize: false },
);

// A conversation in order: GET /v1/conversations/:id/messages, a responder's history, erasure. Unique: prevents
// duplicate seq values.
messageSchema.index({ tenantId: 1, conversationId: 1, seq: 1 }, { unique: true });
// The roles that are rare in a conversation: GET /v1/messages?role=system and role=tool. `$in` in a partial
// filter requires MongoDB 6.0.
messageSchema.index(
  { tenantId: 1, role: 1, timestamp: 1, _id: 1 },
  { partialFilterExpression: { role: { $in: ['system', 'tool'] } } },
);
// GET /v1/messages, newest first. Also serves the roles user and assistant, which are frequent enough to be
// filtered.
messageSchema.index({ tenantId: 1, timestamp: -1, _id: -1 });
// Looks up the stored message of a repeated externalId, and GET /v1/messages?externalId. Unique: two appends of
// one message cannot both be stored.
messageSchema.index(
  { tenantId: 1, externalKey: 1 },
  { unique: true, partialFilterExpression: { externalKey: { $exists: true } } },
);
// Older versions had one message with an externalId in all channels of a tenant.
messageSchema.static(REPLACED_INDEXES, (): ReplacedIndex[] => [
  { name: 'tenantId_1_externalId_1', migrate: addExternalKeys },
]);
