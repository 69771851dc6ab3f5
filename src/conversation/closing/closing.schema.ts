import { Schema, type Types } from 'mongoose';
import type { ClosingContent } from './conversation-transcript.queue.js';

export const CLOSING_MODEL = 'ConversationClosing';
export const CLOSING_COLLECTION = 'conversation_closings';

/** One closing of a conversation. It is deleted with the conversation. */
export interface ClosingDocument {
  /** Id of the job that creates the transcript. */
  _id: Types.ObjectId;
  tenantId: string;
  conversationId: Types.ObjectId;
  transcriptId: Types.ObjectId;
  /** Removed once the transcript, which contains it, is accepted. */
  content?: ClosingContent;
}

const id = { type: Schema.Types.ObjectId, required: true } as const;

export const closingSchema = new Schema<ClosingDocument>(
  {
    tenantId: { type: String, required: true },
    conversationId: id,
    transcriptId: id,
    content: { type: Schema.Types.Mixed },
  },
  { collection: CLOSING_COLLECTION, versionKey: false, autoIndex: false, minimize: false, id: false },
);
// All closings of a conversation, when it is erased.
closingSchema.index({ tenantId: 1, conversationId: 1 });
