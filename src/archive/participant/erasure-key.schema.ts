import { Schema } from 'mongoose';
import type { Sealed } from '../../common/index.js';

export const ERASURE_KEY_MODEL = 'ErasureKey';

/** The key of the hashes that are kept of erased participants: one document per deployment. */
export interface ErasureKeyRecord {
  _id: string;
  /** 32 bytes as base64; encrypted if SECRETS_KEY is set. */
  key: string | Sealed;
  createdAt: Date;
}

// Found by _id. The key does not belong to a tenant.
export const erasureKeySchema = new Schema<ErasureKeyRecord>(
  {
    _id: { type: String, required: true },
    key: { type: Schema.Types.Mixed, required: true },
    createdAt: { type: Date, required: true },
  },
  { collection: 'erasure_keys', versionKey: false, autoIndex: false, id: false },
);
