import type { Scope } from './generations.js';

/** Tags or keys of one tenant beyond which the whole tenant is remembered instead. */
const MAX_PER_TENANT = 100;

interface OfTenant {
  whole: boolean;
  tags: Set<string>;
  keys: Set<string>;
}

export interface PendingWork {
  scopes: Scope[];
  keys: string[];
}

/** Invalidations that could not reach Redis: until they have, this process does not believe Redis about what they concern. */
export class PendingInvalidations {
  private readonly tenants = new Map<string, OfTenant>();

  /** Tenants with something to make up for. */
  get size(): number {
    return this.tenants.size;
  }

  addScope({ tenantId, tag }: Scope): void {
    const pending = this.of(tenantId);
    if (tag === undefined) pending.whole = true;
    else pending.tags.add(tag);
    this.bound(pending);
  }

  addKey(tenantId: string, key: string): void {
    const pending = this.of(tenantId);
    pending.keys.add(key);
    this.bound(pending);
  }

  hasScope({ tenantId, tag }: Scope): boolean {
    const pending = this.tenants.get(tenantId);
    if (!pending) return false;
    return pending.whole || (tag !== undefined && pending.tags.has(tag));
  }

  concerns(tenantId: string, key: string, scopes: readonly Scope[]): boolean {
    if (this.tenants.size === 0) return false;
    const pending = this.tenants.get(tenantId);
    if (!pending) return false;
    return (
      pending.whole ||
      pending.keys.has(key) ||
      scopes.some(({ tag }) => tag !== undefined && pending.tags.has(tag))
    );
  }

  work(): PendingWork {
    const entries = [...this.tenants];
    return {
      scopes: entries.flatMap(([tenantId, { whole, tags }]) => [
        ...(whole ? [{ tenantId }] : []),
        ...[...tags].map((tag) => ({ tenantId, tag })),
      ]),
      keys: entries.flatMap(([, { keys }]) => [...keys]),
    };
  }

  doneScope({ tenantId, tag }: Scope): void {
    const pending = this.tenants.get(tenantId);
    if (!pending) return;
    if (tag === undefined) pending.whole = false;
    else pending.tags.delete(tag);
    this.drop(tenantId, pending);
  }

  doneKey(key: string): void {
    const tenantId = key.split('\0', 1)[0] ?? '';
    const pending = this.tenants.get(tenantId);
    if (!pending) return;
    pending.keys.delete(key);
    this.drop(tenantId, pending);
  }

  private of(tenantId: string): OfTenant {
    const present = this.tenants.get(tenantId);
    if (present) return present;
    const fresh: OfTenant = { whole: false, tags: new Set(), keys: new Set() };
    this.tenants.set(tenantId, fresh);
    return fresh;
  }

  private bound(pending: OfTenant): void {
    if (pending.tags.size + pending.keys.size > MAX_PER_TENANT) pending.whole = true;
    // The tenant's generation is part of every entry: it covers all of its tags and keys.
    if (!pending.whole) return;
    pending.tags.clear();
    pending.keys.clear();
  }

  private drop(tenantId: string, { whole, tags, keys }: OfTenant): void {
    if (!whole && tags.size === 0 && keys.size === 0) this.tenants.delete(tenantId);
  }
}
