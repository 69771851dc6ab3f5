import { Timestamp } from 'bson';
import type { Engine, Transaction } from '../engine/types.js';
import { ServerError } from '../values/errors.js';
import { compareTimes, timeText } from './cluster-gossip.js';

/** Maximum number of snapshots held at once. Each prevents the reuse of pages freed since it was taken. */
const maxHeld = 16;
const noSession = '0'.repeat(32);

interface Held {
  at: Timestamp;
  txn: Transaction;
}

/**
 * Reads with read concern `snapshot` outside transactions. The first read of a session gets the current
 * snapshot and its time. Later reads specify that time and use the same snapshot, until it reaches the
 * transaction lifetime or is replaced by newer ones.
 */
export class SnapshotReads {
  private readonly held = new Map<string, Held>();

  constructor(private readonly engine: Engine) {}

  /** Returns the snapshot of that time, or a new one. Throws SnapshotTooOld (239) if it is no longer held. */
  at(wanted: Timestamp | undefined): Held {
    if (!wanted) return this.hold();
    const known = this.held.get(timeText(wanted));
    if (known?.txn.state === 'open') return known;
    const latest = new Timestamp(this.engine.changes.clock.time);
    if (compareTimes(wanted, latest) > 0) {
      throw new ServerError(
        'InvalidOptions',
        `readConcern atClusterTime value must not be greater than the current clusterTime. Requested clusterTime: { ts: ${timeText(wanted)} }; current clusterTime: { ts: ${timeText(latest)} }`,
      );
    }
    throw new ServerError(
      239,
      `Read timestamp ${timeText(wanted)} is older than the oldest available timestamp.`,
      { codeName: 'SnapshotTooOld' },
    );
  }

  /** Releases all snapshots. */
  release(): void {
    for (const { txn } of this.held.values()) this.engine.abortTransaction(txn);
    this.held.clear();
  }

  private hold(): Held {
    for (const [key, { txn }] of this.held) {
      if (txn.state === 'open' && this.held.size < maxHeld) break;
      this.engine.abortTransaction(txn);
      this.held.delete(key);
    }
    const txn = this.engine.beginTransaction({ lsid: noSession, txnNumber: 0n });
    const opened = { at: new Timestamp(this.engine.changes.clock.tick()), txn };
    this.held.set(timeText(opened.at), opened);
    return opened;
  }
}
