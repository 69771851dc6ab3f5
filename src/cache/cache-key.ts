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
   * Entries are always shared through Redis, without asking the `SharedTierPolicy`. For entries on which the
   * policy itself depends.
   */
  always?: boolean;
}

/** A kind of entries, with its own statistics. */
export class CacheFamily<Value> {
  readonly always: boolean;

  /** Only for the type system: the type of the values of this family. */
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
