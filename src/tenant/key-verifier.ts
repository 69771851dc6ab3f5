import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type CacheKey, CacheService } from '../cache/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { hashApiKey, keyIdOf, sameHash, unknownKeyHash } from './api-key.js';
import { ApiKeyRepository } from './api-key.repository.js';
import {
  apiKeyEntry,
  identityLifetime,
  type KnownKey,
  type KnownTenant,
  tenantEntry,
} from './identity-cache.js';
import { TenantDirectory } from './tenant-directory.js';
import type { ApiKey, TenantIdentity } from './tenant.types.js';

/** `lastUsedAt` is written this seldom at most, so that requests of a busy tenant cost no write. */
export const LAST_USED_RESOLUTION_MS = 10 * 60_000;

/** Keys whose verdicts are remembered; beyond that, the one that was used least recently is verified again. */
const MAX_VERIFIED = 10_000;

export type Verdict =
  | { outcome: 'valid'; identity: TenantIdentity }
  | { outcome: 'inactive'; identity: TenantIdentity }
  | { outcome: 'unknown' };

interface LookUp {
  key: KnownKey | undefined;
  /** The stored row, when this very look-up read it. */
  read?: ApiKey;
}

/** A verdict, and the cached values that it was made from. */
interface Verified {
  verdict: Verdict;
  keyEntry: CacheKey<KnownKey>;
  key: KnownKey;
  tenantEntry: CacheKey<KnownTenant>;
  tenant: KnownTenant;
}

/**
 * Finds the tenant of a key. Stored keys are kept in the cache, so that a busy tenant costs no read; keys that are not stored are
 * never remembered, so that guesses take no memory. Concurrent requests of one key share one read.
 */
@Injectable()
export class KeyVerifier {
  /** By the hash of the key that was presented, and matched the stored one. */
  private readonly verified = new LRUCache<string, Verified>({ max: MAX_VERIFIED });

  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly directory: TenantDirectory,
    private readonly cache: CacheService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * The verdict on a key by its hash alone, at once. It holds only while the cache has the very values of key and tenant that it was made
   * from: what expires or is invalidated there is verified again. Undefined: ask `verify`.
   */
  remembered(hash: string): Verdict | undefined {
    const known = this.verified.get(hash);
    if (!known) return undefined;
    const { cache } = this;
    const holds = cache.peek(known.keyEntry) === known.key && cache.peek(known.tenantEntry) === known.tenant;
    return holds ? known.verdict : undefined;
  }

  /** `hash` is that of `text`. */
  async verify(text: string, hash = hashApiKey(text)): Promise<Verdict> {
    const keyId = keyIdOf(text);
    const { key, read }: LookUp = keyId === undefined ? { key: undefined } : await this.lookUp(keyId);
    const matches = sameHash(hash, key?.hash ?? unknownKeyHash);
    if (!matches || !key || keyId === undefined || key.isRevoked) {
      // The key may have been revoked since.
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

  /** Removes a key from the caches of every process: to be called after a change of it has been committed. */
  forget(keyId: string): Promise<void> {
    return this.cache.del(apiKeyEntry(keyId));
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
      this.logger.warn({ err: error, keyId }, 'the last use of an API key was not stored');
    }
  }
}
