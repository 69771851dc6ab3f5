import { CacheFamily, type CacheKey, type Lifetime } from '../cache/index.js';
import type { Tenant } from './tenant.types.js';

/** The cached part of a key: enough to verify it and to find its tenant. */
export interface KnownKey {
  readonly tenantId: string;
  readonly hash: string;
  readonly isRevoked: boolean;
}

/** The cached part of a tenant: what every request needs. */
export type KnownTenant = Pick<
  Tenant,
  'tenantId' | 'name' | 'plan' | 'isActive' | 'features' | 'erasedIdsUntil'
>;

/**
 * Replaces the tenant id in cache keys of API keys, whose tenant is not known yet. Tenant ids cannot contain
 * "~".
 */
export const KEY_SCOPE = '~keys';

// `isLocal`: these entries grant access, so each process reads them from the database itself. An entry that
// somebody wrote to Redis must not be a valid key, or change the plan or features of a tenant.
const apiKeys = new CacheFamily<KnownKey>('api-key', { isLocal: true });
const tenants = new CacheFamily<KnownTenant>('tenant', { isLocal: true });

export const apiKeyEntry = (keyId: string): CacheKey<KnownKey> => apiKeys.key(KEY_SCOPE, keyId);
export const tenantEntry = (tenantId: string): CacheKey<KnownTenant> => tenants.key(tenantId, 'tenant');

/** How long a process uses what it has read of a key or a tenant, milliseconds. */
export const IDENTITY_TTL_MS = 1000;

/**
 * No process uses a value that it read from the database more than a second ago. A revoked key or a changed
 * plan therefore takes effect everywhere within a second, even when Redis or the invalidation message was
 * lost, or the writing process died. The cost is one read of key and tenant per second and process for each key in use.
 * The absence of a key is not cached, so that guessed keys use no memory.
 */
export const identityLifetime: Lifetime = { ttlMs: IDENTITY_TTL_MS };
