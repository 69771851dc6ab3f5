import { LRUCache } from 'lru-cache';

interface Known {
  current: string;
  /** The latest generation that Redis is known to have given the tenant, 0 for none. */
  floor: number;
}

/**
 * The generation of each tenant as this process knows it. An entry keeps the generation of its load and is
 * valid while the tenant still has it, so a new generation invalidates all older entries in one step. Numbers
 * come from Redis and only grow; those that begin with `l` were made here. Bounded: a tenant that was evicted
 * returns with a generation that no entry has.
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

  /** Gives the tenant a new generation, and returns it. */
  renew(tenantId: string): string {
    const current = `l${++this.made}`;
    this.tenants.set(tenantId, { current, floor: this.floor(tenantId) });
    return current;
  }

  floor(tenantId: string): number {
    return this.tenants.peek(tenantId)?.floor ?? 0;
  }

  /**
   * Adopts a generation from Redis. False when this process knows a later one: Redis lost an invalidation,
   * and what it holds for this tenant must not be used.
   */
  advance(tenantId: string, generation: string): boolean {
    const floor = Number(generation);
    if (this.floor(tenantId) > floor) return false;
    this.tenants.set(tenantId, { current: generation, floor });
    return true;
  }
}
