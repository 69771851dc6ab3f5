import { Schema, type Types } from 'mongoose';
import type { Counts } from './participant-data.js';

export const PARTICIPANT_ERASURE_MODEL = 'ParticipantErasure';

/** The last erasure of a participant. */
export interface ParticipantErasureRecord {
  _id: Types.ObjectId;
  tenantId: string;
  /** `ParticipantHashes.of` the participant. */
  participantHash: string;
  /** Everything older was erased, once it is done. While it is pending: when it was requested. */
  erasedAt: Date;
  state: 'pending' | 'done';
  /**
   * Needed to finish the erasure after a crash, and removed with it. Absent in a pending row of a restored backup,
   * whose erasure was done after the backup.
   */
  participantId?: string;
  removed?: Counts;
}

export const indexOfPending = { tenantId: 1, erasedAt: 1 } as const;

const text = { type: String, required: true } as const;

export const participantErasureSchema = new Schema<ParticipantErasureRecord>(
  {
    tenantId: text,
    participantHash: text,
    erasedAt: { type: Date, required: true },
    state: { ...text, enum: ['pending', 'done'] },
    participantId: { type: String },
    removed: { type: Schema.Types.Mixed },
  },
  { collection: 'participant_erasures', versionKey: false, autoIndex: false, minimize: false, id: false },
);
// The erasure of one participant.
participantErasureSchema.index({ tenantId: 1, participantHash: 1 }, { unique: true });
// Erasures that the sweep finishes. Contains only those rows.
participantErasureSchema.index(indexOfPending, { partialFilterExpression: { state: 'pending' } });
