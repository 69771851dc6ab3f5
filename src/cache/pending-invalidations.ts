import type { Scope } from './generations.js';

/** Tags or keys of one tenant beyond which the whole tenant is remembered instead. */
const MAX_PER_TENANT = 1000;

/** What is pending, by the ticket of the latest invalidation of it: an earlier one that gets through does not settle a later one. */
interface OfTenant {
  whole: number | undefined;
  tags: Map<string, number>;
  keys: Map<string, number>;
}

export interface PendingScope {
  scope: Scope;
  ticket: number;
}

export interface PendingKey {
  key: string;
  ticket: number;
}

/** Invalidations that could not reach Redis: until they have, this process does not believe Redis about what they concern. */
export class PendingInvalidations {
  private readonly tenants = new Map<string, OfTenant>();
  private tickets = 0;

  /** Tenants with something to make up for. */
  get size(): number {
    return this.tenants.size;
  }

  addScope(scope: Scope): PendingScope {
    const { tenantId, tag } = scope;
    const pending = this.of(tenantId);
    const ticket = ++this.tickets;
    if (tag === undefined) pending.whole = ticket;
    else pending.tags.set(tag, ticket);
    this.bound(pending);
    return { scope, ticket };
  }

  addKey(tenantId: string, key: string): PendingKey {
    const pending = this.of(tenantId);
    const ticket = ++this.tickets;
    pending.keys.set(key, ticket);
    this.bound(pending);
    return { key, ticket };
  }

  hasScope({ tenantId, tag }: Scope): boolean {
    const pending = this.tenants.get(tenantId);
    if (!pending) return false;
    return pending.whole !== undefined || (tag !== undefined && pending.tags.has(tag));
  }

  concerns(key: string, scopes: readonly Scope[]): boolean {
    if (this.tenants.size === 0) return false;
    return (
      scopes.some((scope) => this.hasScope(scope)) || this.tenants.get(tenantOf(key))?.keys.has(key) === true
    );
  }

  work(): { scopes: PendingScope[]; keys: PendingKey[] } {
    const entries = [...this.tenants];
    return {
      scopes: entries.flatMap(([tenantId, { whole, tags }]) => [
        ...(whole === undefined ? [] : [{ scope: { tenantId }, ticket: whole }]),
        ...[...tags].map(([tag, ticket]) => ({ scope: { tenantId, tag }, ticket })),
      ]),
      keys: entries.flatMap(([, { keys }]) => [...keys].map(([key, ticket]) => ({ key, ticket }))),
    };
  }

  doneScope({ scope: { tenantId, tag }, ticket }: PendingScope): void {
    const pending = this.tenants.get(tenantId);
    if (!pending) return;
    if (tag === undefined && pending.whole === ticket) pending.whole = undefined;
    if (tag !== undefined && pending.tags.get(tag) === ticket) pending.tags.delete(tag);
    this.drop(tenantId, pending);
  }

  doneKey({ key, ticket }: PendingKey): void {
    const pending = this.tenants.get(tenantOf(key));
    if (!pending) return;
    if (pending.keys.get(key) === ticket) pending.keys.delete(key);
    this.drop(tenantOf(key), pending);
  }

  private of(tenantId: string): OfTenant {
    const present = this.tenants.get(tenantId);
    if (present) return present;
    const fresh: OfTenant = { whole: undefined, tags: new Map(), keys: new Map() };
    this.tenants.set(tenantId, fresh);
    return fresh;
  }

  private bound(pending: OfTenant): void {
    if (pending.tags.size + pending.keys.size > MAX_PER_TENANT) pending.whole = ++this.tickets;
    // The tenant's generation is part of every entry: a new one covers all tags and keys that came before it.
    if (pending.whole !== this.tickets) return;
    pending.tags.clear();
    pending.keys.clear();
  }

  private drop(tenantId: string, { whole, tags, keys }: OfTenant): void {
    if (whole === undefined && tags.size === 0 && keys.size === 0) this.tenants.delete(tenantId);
  }
}

/** Texts of cache keys begin with their tenant. */
const tenantOf = (key: string): string => key.split('\0', 1)[0] ?? '';
