/** Names one entry of the cache. Made by a family, so that no key is without its tenant. */
export interface CacheKey<Value> {
  readonly family: CacheFamily<Value>;
  readonly tenantId: string;
  readonly id: string;
  /**
   * Tenant, family and id, separated by NUL, which none of them may contain: no two keys have the same text.
   */
  readonly text: string;
}

/** How long an entry is valid. */
export interface Lifetime {
  /**
   * Milliseconds. Up to a tenth is subtracted at random, so that entries made together do not expire
   * together.
   */
  readonly ttlMs: number;
  /** Longest time in the memory of one process, milliseconds, when shorter than CACHE_LOCAL_TTL_MS. */
  readonly localTtlMs?: number;
}

export interface FamilyOptions {
  /**
   * Shared through Redis whatever the policy says about the tenant: for entries that the policy itself
   * depends on.
   */
  always?: boolean;
}

/** A kind of entries, with its own name in the statistics. */
export class CacheFamily<Value> {
  readonly always: boolean;

  /** Exists in types only: what the entries of this family hold. */
  declare readonly holds: Value;

  constructor(
    readonly name: string,
    { always = false }: FamilyOptions = {},
  ) {
    this.always = always;
  }

  key(tenantId: string, id: string): CacheKey<Value> {
    return { family: this, tenantId, id, text: `${tenantId}\0${this.name}\0${id}` };
  }
}
