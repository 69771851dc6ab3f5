export const plans = ['free', 'pro', 'enterprise'] as const;
export type Plan = (typeof plans)[number];

export const featureNames = ['responder', 'sharedState', 'transcripts'] as const;
export type FeatureName = (typeof featureNames)[number];

/** What an operator can switch off for one tenant. */
export type TenantFeatures = Readonly<Record<FeatureName, boolean>>;

/** What a tenant has whose operator switched nothing off. */
export const allFeatures: TenantFeatures = Object.freeze({
  responder: true,
  sharedState: true,
  transcripts: true,
});

/** Whose request it is, as the guard found it. */
export interface TenantIdentity {
  readonly tenantId: string;
  readonly name: string;
  readonly plan: Plan;
  readonly features: TenantFeatures;
}

export interface Tenant extends TenantIdentity {
  readonly isActive: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface ApiKey {
  readonly tenantId: string;
  readonly keyId: string;
  /** First characters of the key, enough to tell keys apart in a list. */
  readonly hint: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
  /** Exact to `LAST_USED_RESOLUTION_MS`. */
  readonly lastUsedAt: Date | null;
}
