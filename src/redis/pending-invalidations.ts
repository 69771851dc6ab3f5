/** One entry of a tenant, or all of its entries, that must not be used any more. */
export interface Invalidation {
  readonly tenantId: string;
  /** Undefined: all entries of the tenant. */
  readonly id?: string | undefined;
}

export interface PendingOptions<Change extends Invalidation> {
  max: number;
  /**
   * Creates the invalidation of a whole tenant, which replaces those of its entries when there are too many.
   */
  whole?: ((tenantId: string) => Change) | undefined;
  /**
   * Called with a change that was dropped because there were too many and it could not be merged into
   * another.
   */
  onDropped: (change: Change) => void;
}

const WHOLE = '';

/**
 * Invalidations that have not reached Redis yet, `max` at most. Only the latest invalidation of each entry is
 * kept. An invalidation of a whole tenant replaces those of its entries.
 */
export class PendingInvalidations<Change extends Invalidation> {
  /** By tenant and entry id, oldest first. */
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

  /** The oldest `count` changes, or all. */
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
