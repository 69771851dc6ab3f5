import { Schema, type Types } from 'mongoose';
import { type Goal, goalStatuses } from './session.types.js';

export const SESSION_MODEL = 'Session';
export const SESSION_COLLECTION = 'sessions';

export interface SessionRecord {
  _id: Types.ObjectId;
  tenantId: string;
  participantId: string;
  version: number;
  activeGoals: readonly Goal[];
  context: Readonly<Record<string, unknown>>;
  conversationId: Types.ObjectId | null;
  createdAt: Date;
  updatedAt: Date;
  expiresAt: Date;
}

const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;

const goalSchema = new Schema<Goal>(
  {
    id: text,
    type: text,
    status: { ...text, enum: goalStatuses },
    slots: { type: Schema.Types.Mixed, required: true },
  },
  { _id: false, id: false, versionKey: false, minimize: false },
);

export const sessionSchema = new Schema<SessionRecord>(
  {
    tenantId: text,
    participantId: text,
    version: { type: Number, required: true },
    activeGoals: [goalSchema],
    context: { type: Schema.Types.Mixed, required: true },
    conversationId: { type: Schema.Types.ObjectId, default: null },
    createdAt: date,
    updatedAt: date,
    expiresAt: date,
  },
  { collection: SESSION_COLLECTION, versionKey: false, autoIndex: false, minimize: false, id: false },
);
// The session of a participant: reads, and the compare-and-set of each write. Unique: prevents two sessions.
sessionSchema.index({ tenantId: 1, participantId: 1 }, { unique: true });
// Deletes sessions that were not updated for SESSION_RETENTION_DAYS.
sessionSchema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
