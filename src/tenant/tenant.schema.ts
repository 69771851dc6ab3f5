import { Schema, type Types } from 'mongoose';
import { plans, type Plan, type RetentionDays, retentionKinds } from '../config/index.js';
import type { Deletion, TenantFeatures } from './tenant.types.js';

export const TENANT_MODEL = 'Tenant';
export const API_KEY_MODEL = 'ApiKey';

export interface TenantRecord {
  _id: Types.ObjectId;
  tenantId: string;
  name: string;
  plan: Plan;
  isActive: boolean;
  /** Only the features that an operator has set; missing ones are on. */
  features?: Partial<TenantFeatures>;
  /** Only the retention periods that an operator has set for this tenant, in days. */
  retention?: RetentionDays;
  createdAt: Date;
  updatedAt: Date;
  /** Until then, externalIds of erased participants are kept. Absent if there never were any. */
  erasedIdsUntil?: Date;
  /** Set when the deletion of the tenant begins. */
  deletion?: Deletion;
}

export interface ApiKeyRecord {
  _id: Types.ObjectId;
  tenantId: string;
  keyId: string;
  hash: string;
  hint: string;
  createdAt: Date;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
}

const options = { versionKey: false, autoIndex: false, minimize: false } as const;
const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;

const featuresSchema = new Schema<Partial<TenantFeatures>>(
  { responder: Boolean, sharedState: Boolean, transcripts: Boolean },
  { _id: false },
);

const retentionSchema = new Schema<RetentionDays>(
  Object.fromEntries(retentionKinds.map((kind) => [kind, Number])),
  { _id: false },
);

const deletionSchema = new Schema<Deletion>(
  { startedAt: date, documents: { type: Number, required: true } },
  { _id: false },
);

export const tenantSchema = new Schema<TenantRecord>(
  {
    tenantId: text,
    name: text,
    plan: { ...text, enum: plans },
    isActive: { type: Boolean, required: true },
    features: { type: featuresSchema, required: false },
    retention: { type: retentionSchema, required: false },
    createdAt: date,
    updatedAt: date,
    erasedIdsUntil: { type: Date },
    deletion: { type: deletionSchema, required: false },
  },
  { ...options, collection: 'tenants' },
);
// Serves: a tenant by its id. Rejects a second tenant with the same id.
tenantSchema.index({ tenantId: 1 }, { unique: true });
// Serves: all tenants, newest first (admin). The only list that spans tenants.
tenantSchema.index({ createdAt: -1, _id: -1 });

// Serves: tenants that are being deleted. Contains only those.
tenantSchema.index(
  { 'deletion.startedAt': 1 },
  { partialFilterExpression: { 'deletion.startedAt': { $exists: true } } },
);

export const apiKeySchema = new Schema<ApiKeyRecord>(
  {
    tenantId: text,
    keyId: text,
    hash: text,
    hint: text,
    createdAt: date,
    revokedAt: { type: Date, default: null },
    lastUsedAt: { type: Date, default: null },
  },
  { ...options, collection: 'api_keys' },
);
// Serves: the key of a request. The tenant is not known yet, so this is the only index that does not begin
// with tenantId. The collection is small and stays unsharded.
apiKeySchema.index({ keyId: 1 }, { unique: true });
// Serves: the keys of one tenant, newest first.
apiKeySchema.index({ tenantId: 1, createdAt: -1, _id: -1 });
