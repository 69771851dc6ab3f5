import { Schema, type Types } from 'mongoose';

export const RESPONDER_SETTINGS_MODEL = 'ResponderSettings';

/** The responder chosen by a tenant, with its configuration, as stored. */
export interface ResponderSettingsRecord {
  _id: Types.ObjectId;
  tenantId: string;
  type: string;
  config: Record<string, unknown>;
  updatedAt: Date;
}

export const responderSettingsSchema = new Schema<ResponderSettingsRecord>(
  {
    tenantId: { type: String, required: true },
    type: { type: String, required: true },
    config: { type: Schema.Types.Mixed, required: true },
    updatedAt: { type: Date, required: true },
  },
  { collection: 'responders', versionKey: false, autoIndex: false, minimize: false },
);

// The responder of a tenant, read for inbound messages. One document per tenant.
responderSettingsSchema.index({ tenantId: 1 }, { unique: true });
