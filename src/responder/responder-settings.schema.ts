import { Schema, type Types } from 'mongoose';

export const RESPONDER_SETTINGS_MODEL = 'ResponderSettings';

/** The responder chosen by a tenant, with its configuration, as stored. */
export interface ResponderSettingsRecord {
  _id: Types.ObjectId;
  tenantId: string;
  type: string;
  /** Secrets in it are encrypted if SECRETS_KEY is set; see `SecretBox`. */
  config: Record<string, unknown>;
  /** Id of the key with which they are encrypted; absent if there is none. */
  sealedBy?: string;
  /** How long a message waits for further ones before it is answered, milliseconds; absent: not at all. */
  debounceMs?: number;
  updatedAt: Date;
}

export const responderSettingsSchema = new Schema<ResponderSettingsRecord>(
  {
    tenantId: { type: String, required: true },
    type: { type: String, required: true },
    config: { type: Schema.Types.Mixed, required: true },
    sealedBy: { type: String },
    debounceMs: { type: Number },
    updatedAt: { type: Date, required: true },
  },
  { collection: 'responders', versionKey: false, autoIndex: false, minimize: false },
);

// The responder of a tenant, read for inbound messages. One document per tenant.
responderSettingsSchema.index({ tenantId: 1 }, { unique: true });
// Secrets of all tenants that are not encrypted with the current key, read once at the start of a process.
responderSettingsSchema.index({ type: 1, sealedBy: 1 });
