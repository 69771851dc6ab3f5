import { Schema, type Types } from 'mongoose';
import { plans, type Plan, type TenantFeatures } from './tenant.types.js';

export const TENANT_MODEL = 'Tenant';
export const API_KEY_MODEL = 'ApiKey';

export interface TenantRecord {
  _id: Types.ObjectId;
  tenantId: string;
  name: string;
  plan: Plan;
  isActive: boolean;
  /** Only what an operator has set; what is missing is on. */
  features?: Partial<TenantFeatures>;
  createdAt: Date;
  updatedAt: Date;
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

export const tenantSchema = new Schema<TenantRecord>(
  {
    tenantId: text,
    name: text,
    plan: { ...text, enum: plans },
    isActive: { type: Boolean, required: true },
    features: { type: featuresSchema, required: false },
    createdAt: date,
    updatedAt: date,
  },
  { ...options, collection: 'tenants' },
);
// One tenant by the id that the admin gave it; refuses a second one of that id.
tenantSchema.index({ tenantId: 1 }, { unique: true });
// All tenants, newest first (admin): the one list that is not of a single tenant.
tenantSchema.index({ createdAt: -1, _id: -1 });

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
// The key of a request. It comes before the tenant is known, so this index alone does not begin with tenantId; the collection is
// small and stays unsharded.
apiKeySchema.index({ keyId: 1 }, { unique: true });
// The keys of one tenant, newest first.
apiKeySchema.index({ tenantId: 1, createdAt: -1, _id: -1 });
