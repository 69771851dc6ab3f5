import type { Collection } from './catalog.js';
import type { Change } from './change-log.js';
import { Overlay } from './overlay.js';
import type { Snapshot } from './store.js';
import type { Transaction } from './types.js';
import type { CounterChange } from './write-queue.js';

/**
 * A multi-document transaction: a snapshot, its own writes on top of it, and the keys that it has claimed
 * against other writers.
 */
export class EngineTransaction implements Transaction {
  state: 'open' | 'committed' | 'aborted' = 'open';
  /** Set once the commit is queued. From then on the transaction cannot be aborted. */
  committing: Promise<void> | undefined;
  readonly overlay: Overlay;
  readonly intents = new Set<string>();
  readonly counters = new Map<Collection, CounterChange>();
  readonly changedRows = new Set<Collection>();
  readonly changes: Change[] = [];
  /** Collections created for this transaction after its snapshot was taken. */
  readonly created = new Set<Collection>();
  readonly ended: Promise<void>;
  private resolveEnded!: () => void;

  constructor(
    readonly id: number,
    readonly lsid: string,
    readonly txnNumber: bigint,
    private readonly snapshot: Snapshot,
    readonly snapshotSeq: number,
    readonly expiresAt: number,
  ) {
    this.overlay = new Overlay(snapshot.view);
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  get dirty(): boolean {
    return this.overlay.size > 0;
  }

  count(collection: Collection, documents: number, bytes: number): void {
    const change = this.counters.get(collection);
    if (change) {
      change.documents += documents;
      change.bytes += bytes;
    } else this.counters.set(collection, { documents, bytes });
  }

  end(state: 'committed' | 'aborted'): void {
    this.state = state;
    this.snapshot.release();
    this.resolveEnded();
  }
}
