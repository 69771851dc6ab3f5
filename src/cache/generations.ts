import { LRUCache } from 'lru-cache';
import type { CacheKey } from './cache-key.js';

/** What can be invalidated at one stroke: all of a tenant (no tag), or what bears one of its tags. */
export interface Scope {
  readonly tenantId: string;
  readonly tag?: string | undefined;
}

export const scopesOf = ({ tenantId, tags }: CacheKey<unknown>): Scope[] => [
  { tenantId },
  ...tags.map((tag) => ({ tenantId, tag })),
];

export const scopeText = ({ tenantId, tag }: Scope): string =>
  tag === undefined ? tenantId : `${tenantId}\0${tag}`;

export const joined = (generations: readonly string[]): string => generations.join(',');

/**
 * The generations that this process knows: each scope has one, an entry keeps those of its load, and a new generation makes all
 * older entries void at one stroke. Numbers come from Redis and only grow; those that begin with `l` were made here. Bounded: a scope
 * that is forgotten comes back with a generation that no entry has.
 */
export class Generations {
  private readonly known: LRUCache<string, string>;
  private readonly floors: LRUCache<string, number>;
  private made = 0;

  constructor(max: number) {
    this.known = new LRUCache({ max });
    this.floors = new LRUCache({ max });
  }

  of(scopes: readonly Scope[]): string {
    return joined(scopes.map((scope) => this.known.get(scopeText(scope)) ?? this.renew(scope)));
  }

  /** Those of all scopes of a key. */
  ofKey(key: CacheKey<unknown>): string {
    if (key.tags.length > 0) return this.of(scopesOf(key));
    return this.known.get(key.tenantId) ?? this.renew({ tenantId: key.tenantId });
  }

  /** A new generation made here; answers it. */
  renew(scope: Scope): string {
    const generation = `l${++this.made}`;
    this.known.set(scopeText(scope), generation);
    return generation;
  }

  /** The latest generation that Redis is known to have given a scope, 0 for none. */
  sharedFloor(scope: Scope): number {
    return this.floors.get(scopeText(scope)) ?? 0;
  }

  /**
   * Takes over what Redis says. False when this process knows a later one: Redis lost an invalidation, and what it holds for this
   * scope is not to be trusted.
   */
  advance(scope: Scope, generation: string): boolean {
    const text = scopeText(scope);
    if (this.sharedFloor(scope) > Number(generation)) return false;
    this.floors.set(text, Number(generation));
    this.known.set(text, generation);
    return true;
  }
}
