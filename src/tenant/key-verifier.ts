import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { LOGGER, type Logger } from '../common/index.js';
import { hashApiKey, keyIdOf, sameHash, unknownKeyHash } from './api-key.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { TenantRepository } from './tenant.repository.js';
import { type MonotonicClock, TENANT_CLOCK } from './tenant.tokens.js';
import type { ApiKey, TenantIdentity } from './tenant.types.js';

const MAX_CACHED_KEYS = 10_000;

/** How long a key that was revoked through another process may still work in this one. */
const CACHE_TTL_MS = 1000;

/** `lastUsedAt` is written this seldom at most, so that requests of a busy tenant cost no write. */
export const LAST_USED_RESOLUTION_MS = 10 * 60_000;

interface KnownKey {
  hash: string;
  identity: TenantIdentity;
  isActive: boolean;
}

export type Verdict =
  | { outcome: 'valid'; identity: TenantIdentity }
  | { outcome: 'inactive'; identity: TenantIdentity }
  | { outcome: 'unknown' };

/**
 * Finds the tenant of a key. Stored keys are remembered for a second, so that a busy tenant costs no read; keys that are not
 * stored are never remembered, so that guesses take no memory. Concurrent requests of one key share one read.
 */
@Injectable()
export class KeyVerifier {
  private readonly known: LRUCache<string, KnownKey>;
  private readonly reading = new Map<string, Promise<KnownKey | undefined>>();
  private generation = 0;

  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly tenants: TenantRepository,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(TENANT_CLOCK) clock: MonotonicClock,
  ) {
    this.known = new LRUCache({ max: MAX_CACHED_KEYS, ttl: CACHE_TTL_MS, ttlResolution: 0, perf: clock });
  }

  async verify(text: string): Promise<Verdict> {
    const hash = hashApiKey(text);
    const keyId = keyIdOf(text);
    const key = keyId === undefined ? undefined : await this.lookUp(keyId);
    if (!sameHash(hash, key?.hash ?? unknownKeyHash) || !key) return { outcome: 'unknown' };
    return { outcome: key.isActive ? 'valid' : 'inactive', identity: key.identity };
  }

  /** Forgets every key: to be called after a change of keys or tenants has been committed. */
  forget(): void {
    this.generation++;
    this.known.clear();
    this.reading.clear();
  }

  private async lookUp(keyId: string): Promise<KnownKey | undefined> {
    const known = this.known.get(keyId);
    if (known) return known;
    const shared = this.reading.get(keyId);
    if (shared) return shared;
    const read = this.read(keyId);
    this.reading.set(keyId, read);
    try {
      return await read;
    } finally {
      if (this.reading.get(keyId) === read) this.reading.delete(keyId);
    }
  }

  private async read(keyId: string): Promise<KnownKey | undefined> {
    const { generation } = this;
    const key = await this.keys.findForRequest(keyId);
    if (!key || key.revokedAt !== null) return undefined;
    const tenant = await this.tenants.find(key.tenantId);
    if (!tenant) return undefined;
    await this.noteUse(key);
    const { tenantId, name, plan, isActive } = tenant;
    const known = { hash: key.hash, identity: { tenantId, name, plan }, isActive };
    // A read that began before a revocation must not bring the key back.
    if (generation === this.generation) this.known.set(keyId, known);
    return known;
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
