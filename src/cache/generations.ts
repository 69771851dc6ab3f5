import { LRUCache } from 'lru-cache';

interface Known {
  current: string;
  /** The latest known generation of the tenant that Redis assigned; 0 if there is none. */
  floor: number;
}

/**
 * The generation of each tenant, as known to this process. An entry stores the generation in which it was
 * loaded, and is valid while that is still the tenant's generation. A new generation therefore invalidates
 * all older entries of the tenant at once. Generations from Redis are increasing numbers; those that begin
 * with `l` were created locally. The number of tenants is limited: one that was evicted later receives a new
 * generation, which no entry has.
 */
export class Generations {
  private readonly tenants: LRUCache<string, Known>;
  private made = 0;

  constructor(max: number) {
    this.tenants = new LRUCache({ max });
  }

  of(tenantId: string): string {
    return this.tenants.get(tenantId)?.current ?? this.renew(tenantId);
  }

  /** Gives the tenant a new generation and returns it. */
  renew(tenantId: string): string {
    const current = `l${++this.made}`;
    this.tenants.set(tenantId, { current, floor: this.floor(tenantId) });
    return current;
  }

  floor(tenantId: string): number {
    return this.tenants.peek(tenantId)?.floor ?? 0;
  }

  /**
   * Adopts a generation from Redis. Returns false if this process knows a later one: then Redis has lost an
   * invalidation, and its entries for this tenant must not be used.
   */
  advance(tenantId: string, generation: string): boolean {
    const floor = Number(generation);
    if (this.floor(tenantId) > floor) return false;
    this.tenants.set(tenantId, { current: generation, floor });
    return true;
  }
}
