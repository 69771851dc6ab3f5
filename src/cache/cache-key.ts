/**
 * Names one entry of the cache. Made by a family only, so that no key is without its tenant. `tags` belong to the key: the same
 * entry is always asked for with the same tags, since their generations decide whether it still holds.
 */
export interface CacheKey<Value> {
  readonly family: CacheFamily<Value>;
  readonly tenantId: string;
  readonly id: string;
  readonly tags: readonly string[];
  /** Tenant, family, id and tags, parted by NUL, which none of them may hold: no two keys share it. */
  readonly text: string;
}

/** How long an entry holds. */
export interface Lifetime {
  /** Milliseconds that it is fresh. Up to a tenth is taken off at random, so that entries made together do not end together. */
  readonly ttlMs: number;
  /** Milliseconds after that in which it is still answered, while a fresh one is loaded in the background. */
  readonly staleMs?: number;
  /** Milliseconds that "there is none" is remembered; unset: not at all. */
  readonly missTtlMs?: number;
  /** Longest time that one process answers from its own memory, when shorter than CACHE_LOCAL_TTL_MS. */
  readonly localTtlMs?: number;
}

export interface FamilyOptions {
  /** Shared through Redis whatever the policy says of the tenant: for entries that the policy itself is decided from. */
  always?: boolean;
}

/** A kind of entries, counted by its name in the statistics: builds the keys of its entries. */
export class CacheFamily<Value> {
  readonly always: boolean;

  /** Types alone: what the entries of this family hold. */
  declare readonly holds: Value;

  constructor(
    readonly name: string,
    { always = false }: FamilyOptions = {},
  ) {
    this.always = always;
  }

  key(tenantId: string, id: string, tags: readonly string[] = []): CacheKey<Value> {
    const text = `${tenantId}\0${this.name}\0${id}`;
    return { family: this, tenantId, id, tags, text: tags.length === 0 ? text : [text, ...tags].join('\0') };
  }
}
