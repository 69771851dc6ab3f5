import { Inject, Injectable } from '@nestjs/common';
import { CacheService } from '../cache/index.js';
import { LOGGER, type Logger } from '../common/index.js';
import { hashApiKey, keyIdOf, sameHash, unknownKeyHash } from './api-key.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { apiKeyEntry, identityLifetime, type KnownKey } from './identity-cache.js';
import { TenantDirectory } from './tenant-directory.js';
import type { ApiKey, TenantIdentity } from './tenant.types.js';

/** `lastUsedAt` is written this seldom at most, so that requests of a busy tenant cost no write. */
export const LAST_USED_RESOLUTION_MS = 10 * 60_000;

export type Verdict =
  | { outcome: 'valid'; identity: TenantIdentity }
  | { outcome: 'inactive'; identity: TenantIdentity }
  | { outcome: 'unknown' };

interface LookUp {
  key: KnownKey | undefined;
  /** The stored row, when this very look-up read it. */
  read?: ApiKey;
}

/**
 * Finds the tenant of a key. Stored keys are kept in the cache, so that a busy tenant costs no read; keys that are not stored are
 * never remembered, so that guesses take no memory. Concurrent requests of one key share one read.
 */
@Injectable()
export class KeyVerifier {
  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly directory: TenantDirectory,
    private readonly cache: CacheService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async verify(text: string): Promise<Verdict> {
    const hash = hashApiKey(text);
    const keyId = keyIdOf(text);
    const { key, read }: LookUp = keyId === undefined ? { key: undefined } : await this.lookUp(keyId);
    if (!sameHash(hash, key?.hash ?? unknownKeyHash) || !key || key.isRevoked) return { outcome: 'unknown' };
    const tenant = await this.directory.find(key.tenantId);
    if (!tenant) return { outcome: 'unknown' };
    if (read) await this.noteUse(read);
    const { isActive, ...identity } = tenant;
    return { outcome: isActive ? 'valid' : 'inactive', identity };
  }

  /** Forgets a key in every process: to be called after a change of it has been committed. */
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
