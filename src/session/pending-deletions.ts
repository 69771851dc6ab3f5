import type { DeletedSession } from './session.repository.js';

export interface PendingDeletion extends DeletedSession {
  readonly tenantId: string;
  readonly participantId: string;
}

const keyOf = (tenantId: string, participantId: string): string => `${tenantId}\0${participantId}`;

/** Deletions that Redis has not been notified of yet: a bounded list, oldest out first. A participant has one, the latest. */
export class PendingDeletions {
  private readonly entries = new Map<string, PendingDeletion>();

  constructor(
    private readonly max: number,
    private readonly onDropped: (deletion: PendingDeletion) => void,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  has(tenantId: string, participantId: string): boolean {
    return this.entries.size > 0 && this.entries.has(keyOf(tenantId, participantId));
  }

  add(deletion: PendingDeletion): void {
    const key = keyOf(deletion.tenantId, deletion.participantId);
    this.entries.delete(key);
    this.entries.set(key, deletion);
    if (this.entries.size <= this.max) return;
    for (const [oldest, dropped] of this.entries) {
      this.entries.delete(oldest);
      this.onDropped(dropped);
      return;
    }
  }

  /** The oldest `count`. */
  first(count: number): PendingDeletion[] {
    const found: PendingDeletion[] = [];
    for (const deletion of this.entries.values()) {
      if (found.length === count) break;
      found.push(deletion);
    }
    return found;
  }

  /** Forgets `deletion`, unless a later one of the participant took its place. */
  done(deletion: PendingDeletion): void {
    const key = keyOf(deletion.tenantId, deletion.participantId);
    if (this.entries.get(key) === deletion) this.entries.delete(key);
  }
}
