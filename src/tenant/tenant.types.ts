import type { Plan, RetentionDays } from '../config/index.js';

export const featureNames = ['responder', 'sharedState', 'transcripts'] as const;
export type FeatureName = (typeof featureNames)[number];

/** Features that an operator can switch off for one tenant. */
export type TenantFeatures = Readonly<Record<FeatureName, boolean>>;

/** The features of a tenant for which nothing was switched off. */
export const allFeatures: TenantFeatures = Object.freeze({
  responder: true,
  sharedState: true,
  transcripts: true,
});

/** The tenant that sent a request, as determined by the guard. */
export interface TenantIdentity {
  readonly tenantId: string;
  readonly name: string;
  readonly plan: Plan;
  readonly features: TenantFeatures;
}

export interface Tenant extends TenantIdentity {
  /** Its own retention periods; for other kinds of data, those of the settings apply. */
  readonly retention?: RetentionDays;
  readonly isActive: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Until then, externalIds of erased participants are kept, to refuse documents that are sent again. */
  readonly erasedIdsUntil?: Date;
  /** Present while the tenant is being deleted. */
  readonly deletion?: Deletion;
}

export interface Deletion {
  readonly startedAt: Date;
  /** Number of documents deleted so far. */
  readonly documents: number;
}

export interface ApiKey {
  readonly tenantId: string;
  readonly keyId: string;
  /** The first characters of the key, enough to distinguish keys in a list. */
  readonly hint: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
  /** Accurate to `LAST_USED_RESOLUTION_MS`. */
  readonly lastUsedAt: Date | null;
}

/** What a tenant has stored, in the collections of all modules. */
export interface Usage {
  /** Size of its documents, bytes. */
  bytes: number;
  documents: number;
}

/** Members that are absent have no limit. */
export type UsageLimits = Partial<Usage>;
