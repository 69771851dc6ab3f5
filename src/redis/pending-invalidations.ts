/** An entry of a tenant, or all of the tenant's entries, that no process may use any longer. */
export interface Invalidation {
  readonly tenantId: string;
  /** Unset: all entries of the tenant. */
  readonly id?: string | undefined;
}

export interface PendingOptions<Change extends Invalidation> {
  max: number;
  /**
   * Makes the invalidation of a whole tenant, which replaces those of its entries when there are too many.
   */
  whole?: ((tenantId: string) => Change) | undefined;
  /** Is called with a change that is dropped because there are too many and nothing can replace it. */
  onDropped: (change: Change) => void;
}

const WHOLE = '';

/**
 * Invalidations that have not reached Redis yet, bounded by `max`. Each entry has at most one, the latest; an
 * invalidation of a whole tenant replaces those of its entries.
 */
export class PendingInvalidations<Change extends Invalidation> {
  /** By tenant and entry, oldest first. */
  private readonly tenants = new Map<string, Map<string, Change>>();
  private count = 0;

  constructor(private readonly options: PendingOptions<Change>) {}

  get size(): number {
    return this.count;
  }

  has(tenantId: string, id?: string): boolean {
    if (this.count === 0) return false;
    const changes = this.tenants.get(tenantId);
    return changes !== undefined && (changes.has(WHOLE) || (id !== undefined && changes.has(id)));
  }

  add(change: Change): void {
    this.put(change);
    while (this.count > this.options.max) this.makeRoom();
  }

  /** The oldest `count`, or all. */
  first(count = Infinity): Change[] {
    const found: Change[] = [];
    for (const changes of this.tenants.values())
      for (const change of changes.values()) {
        if (found.length >= count) return found;
        found.push(change);
      }
    return found;
  }

  /** Removes `change`, unless a later one has replaced it. */
  done(change: Change): void {
    const changes = this.tenants.get(change.tenantId);
    if (changes?.get(change.id ?? WHOLE) === change) this.remove(change, changes);
  }

  private put(change: Change): void {
    const { tenantId, id } = change;
    const present = this.tenants.get(tenantId);
    if (id === undefined || !present) {
      this.count += 1 - (present?.size ?? 0);
      this.tenants.delete(tenantId);
      this.tenants.set(tenantId, new Map([[id ?? WHOLE, change]]));
      return;
    }
    if (!present.delete(id)) this.count++;
    present.set(id, change);
  }

  private remove(change: Change, changes: Map<string, Change>): void {
    changes.delete(change.id ?? WHOLE);
    if (changes.size === 0) this.tenants.delete(change.tenantId);
    this.count--;
  }

  private makeRoom(): void {
    for (const [tenantId, changes] of this.tenants)
      for (const oldest of changes.values()) {
        const { whole, onDropped } = this.options;
        if (whole && oldest.id !== undefined) {
          this.put(whole(tenantId));
        } else {
          this.remove(oldest, changes);
          onDropped(oldest);
        }
        return;
      }
  }
}
