import { Schema, type Types } from 'mongoose';

export const NOTE_MODEL = 'Note';

/** What a tenant's staff wrote about a participant. */
export interface NoteRecord {
  _id: Types.ObjectId;
  tenantId: string;
  participantId: string;
  text: string;
  createdAt: Date;
  /** When the reminder is due; removed once it ran. */
  remindAt?: Date;
  /** When the reminder ran. */
  remindedAt?: Date;
}

export const noteSchema = new Schema<NoteRecord>(
  {
    tenantId: { type: String, required: true },
    participantId: { type: String, required: true },
    text: { type: String, required: true },
    createdAt: { type: Date, required: true },
    remindAt: { type: Date },
    remindedAt: { type: Date },
  },
  { collection: 'notes', versionKey: false, autoIndex: false },
);

// GET /v1/notes?participantId, the newest first, and the count of a participant's notes.
noteSchema.index({ tenantId: 1, participantId: 1, _id: -1 });
// The cleanup of old notes.
noteSchema.index({ createdAt: 1 });
// Overdue reminders. Contains only notes whose reminder has not run.
noteSchema.index({ remindAt: 1 }, { partialFilterExpression: { remindAt: { $exists: true } } });
