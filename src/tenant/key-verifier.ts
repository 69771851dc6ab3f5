import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type CacheKey, CacheService } from '../cache/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { hashApiKey, keyIdOf, sameHash, unknownKeyHash } from './api-key.js';
import { ApiKeyRepository } from './api-key.repository.js';
import {
  apiKeyEntry,
  identityLifetime,
  KEY_SCOPE,
  type KnownKey,
  type KnownTenant,
  tenantEntry,
} from './identity-cache.js';
import { TenantDirectory } from './tenant-directory.js';
import type { ApiKey, TenantIdentity } from './tenant.types.js';

/** Minimum interval between writes of `lastUsedAt`, so that the requests of a busy tenant cost no writes. */
export const LAST_USED_RESOLUTION_MS = 10 * 60_000;

/** Maximum number of cached verdicts; the least recently used one is evicted. */
const MAX_VERIFIED = 10_000;

export type Verdict =
  | { outcome: 'valid'; identity: TenantIdentity }
  | { outcome: 'inactive'; identity: TenantIdentity }
  | { outcome: 'unknown' };

interface LookUp {
  key: KnownKey | undefined;
  /** The stored row, if this lookup read it from the database. */
  read?: ApiKey;
}

/** A verdict, and the cached values from which it was derived. */
interface Verified {
  verdict: Verdict;
  keyEntry: CacheKey<KnownKey>;
  key: KnownKey;
  tenantEntry: CacheKey<KnownTenant>;
  tenant: KnownTenant;
}

/**
 * Finds the tenant of a key. Stored keys are cached, so that a busy tenant costs no reads. Unknown keys are
 * never cached, so that guessed keys use no memory. Concurrent requests with the same key share one read.
 */
@Injectable()
export class KeyVerifier {
  /** Verdicts by the hash of a presented key that matched the stored one. */
  private readonly verified = new LRUCache<string, Verified>({ max: MAX_VERIFIED });

  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly directory: TenantDirectory,
    private readonly cache: CacheService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Returns the cached verdict on a key synchronously, given only its hash. The verdict is valid only while
   * the cache still holds the same key and tenant objects from which it was derived. Returns undefined when
   * they have expired or were invalidated; then call `verify`.
   */
  remembered(hash: string): Verdict | undefined {
    const known = this.verified.get(hash);
    if (!known) return undefined;
    const { cache } = this;
    const holds = cache.peek(known.keyEntry) === known.key && cache.peek(known.tenantEntry) === known.tenant;
    return holds ? known.verdict : undefined;
  }

  /** @param hash the hash of `text` */
  async verify(text: string, hash = hashApiKey(text)): Promise<Verdict> {
    const keyId = keyIdOf(text);
    const { key, read }: LookUp = keyId === undefined ? { key: undefined } : await this.lookUp(keyId);
    const matches = sameHash(hash, key?.hash ?? unknownKeyHash);
    if (!matches || !key || keyId === undefined || key.isRevoked) {
      // The key may have been revoked since its last verification.
      this.verified.delete(hash);
      return { outcome: 'unknown' };
    }
    const tenant = await this.directory.find(key.tenantId);
    if (!tenant) return { outcome: 'unknown' };
    if (read) await this.noteUse(read);
    const { isActive, ...identity } = tenant;
    const verdict: Verdict = { outcome: isActive ? 'valid' : 'inactive', identity };
    this.verified.set(hash, {
      verdict,
      keyEntry: apiKeyEntry(keyId),
      key,
      tenantEntry: tenantEntry(key.tenantId),
      tenant,
    });
    return verdict;
  }

  /**
   * Makes every process read keys from the database again. Must be called after a key was created or changed,
   * once that is committed. It concerns all keys, because they are cached for a second anyway: the cost is at
   * most one read for each key in use.
   */
  forget(): Promise<void> {
    return this.cache.invalidateTenant(KEY_SCOPE);
  }

  private async lookUp(keyId: string): Promise<LookUp> {
    let read: ApiKey | undefined;
    const key = await this.cache.wrap(apiKeyEntry(keyId), identityLifetime, async () => {
      const row = await this.keys.findForRequest(keyId);
      if (!row) return undefined;
      read = row;
      return { tenantId: row.tenantId, hash: row.hash, isRevoked: row.revokedAt !== null };
    });
    return { key, ...(read && { read }) };
  }

  private async noteUse({ tenantId, keyId, lastUsedAt }: ApiKey): Promise<void> {
    const now = Date.now();
    if (lastUsedAt !== null && now - lastUsedAt.getTime() < LAST_USED_RESOLUTION_MS) return;
    try {
      await this.keys.touch(tenantId, keyId, new Date(now));
    } catch (error) {
      this.logger.warn({ err: error, keyId }, 'the last use of an API key could not be stored');
    }
  }
}
