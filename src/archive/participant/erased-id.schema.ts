import { Schema, type Types } from 'mongoose';

export const ERASED_ID_MODEL = 'ErasedId';

/** The keyed hash of an externalId that belonged to an erased participant. */
export interface ErasedIdRecord {
  _id: Types.ObjectId;
  tenantId: string;
  hash: string;
  expiresAt: Date;
}

const text = { type: String, required: true } as const;

export const erasedIdSchema = new Schema<ErasedIdRecord>(
  { tenantId: text, hash: text, expiresAt: { type: Date, required: true } },
  { collection: 'erased_ids', versionKey: false, autoIndex: false, id: false },
);
// A message or transcript with an externalId, of a tenant that has erased participants. Unique: an erasure that is
// repeated stores it once.
erasedIdSchema.index({ tenantId: 1, hash: 1 }, { unique: true });
// Deletes ids that providers no longer repeat.
erasedIdSchema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
