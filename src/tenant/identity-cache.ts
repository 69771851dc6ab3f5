import { CacheFamily, type CacheKey, type Lifetime } from '../cache/index.js';
import type { Tenant } from './tenant.types.js';

/** What is kept of a key: enough to check it by, and to find its tenant. */
export interface KnownKey {
  readonly tenantId: string;
  readonly hash: string;
  readonly isRevoked: boolean;
}

/** What is kept of a tenant: what every request asks of it. */
export type KnownTenant = Pick<Tenant, 'tenantId' | 'name' | 'plan' | 'isActive' | 'features'>;

/**
 * Stands where a tenant's id would in the keys of API keys, whose tenant is not known yet. No tenant's id may
 * hold "~".
 */
const KEY_SCOPE = '~keys';

// `always`: the policy of who may use Redis is decided from these entries, so they cannot wait for it.
const apiKeys = new CacheFamily<KnownKey>('api-key', { always: true });
const tenants = new CacheFamily<KnownTenant>('tenant', { always: true });

export const apiKeyEntry = (keyId: string): CacheKey<KnownKey> => apiKeys.key(KEY_SCOPE, keyId);
export const tenantEntry = (tenantId: string): CacheKey<KnownTenant> => tenants.key(tenantId, 'tenant');

/**
 * Whatever is answered was read from the database less than a second ago, in every tier: a revoked key and a
 * changed plan hold everywhere by then, also when Redis or the message of the change was lost, or its writer
 * died. It costs a read of key and tenant a second for each key at work. "There is none" is not remembered,
 * so that guesses take no memory.
 */
export const identityLifetime: Lifetime = { ttlMs: 1000 };
