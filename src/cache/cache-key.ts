/**
 * Identifies one entry of the cache. Only a `CacheFamily` creates keys, so that every key contains its
 * tenant.
 */
export interface CacheKey<Value> {
  readonly family: CacheFamily<Value>;
  readonly tenantId: string;
  readonly id: string;
  /**
   * Tenant, family and id, separated by NUL, which none of them can contain. Different keys have different
   * texts.
   */
  readonly text: string;
}

/** How long an entry is valid. */
export interface Lifetime {
  /**
   * Time to live in milliseconds. Up to a tenth is subtracted at random, so that entries stored together do
   * not expire together.
   */
  readonly ttlMs: number;
  /** Maximum time in the memory of one process, milliseconds, if shorter than CACHE_LOCAL_TTL_MS. */
  readonly localTtlMs?: number;
}

export interface FamilyOptions {
  /**
   * Entries stay in the memory of each process and are never read from Redis or written to it; invalidations
   * still reach all processes. For entries that decide about access, because whoever can write to Redis must
   * not be able to grant it, and for those on which the `SharedTierPolicy` itself depends.
   */
  isLocal?: boolean;
}

/** A kind of entries, with its own statistics. */
export class CacheFamily<Value> {
  readonly isLocal: boolean;

  /** Only for the type system: the type of the values of this family. */
  declare readonly holds: Value;

  constructor(
    readonly name: string,
    { isLocal = false }: FamilyOptions = {},
  ) {
    this.isLocal = isLocal;
  }

  key(tenantId: string, id: string): CacheKey<Value> {
    return { family: this, tenantId, id, text: `${tenantId}\0${this.name}\0${id}` };
  }
}
