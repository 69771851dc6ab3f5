import { ServerError, writeConflict } from '../values/errors.js';
import type { Collection } from './catalog.js';
import { keyText } from './key-layout.js';
import { rememberCommit, recordOf } from './retry-records.js';
import type { Store } from './store.js';
import { EngineTransaction } from './transaction.js';
import { Blocked, readSequence } from './write-queue.js';
import type { Batch, WriteQueue } from './write-queue.js';

const PRUNE_AT = 50_000;

export const noSuchTransaction = (txnNumber: bigint): ServerError =>
  new ServerError(
    'NoSuchTransaction',
    `Given transaction number ${txnNumber} does not match any in-progress transactions.`,
    {
      errorLabels: ['TransientTransactionError'],
    },
  );

const snapshotUnavailable = (collection: string): ServerError =>
  new ServerError(
    246,
    `Unable to read from a snapshot due to pending collection catalog changes of ${collection}; please retry the operation.`,
    { codeName: 'SnapshotUnavailable', errorLabels: ['TransientTransactionError'] },
  );

/**
 * The open transactions, the keys that they have claimed (intents), and the keys committed since the oldest
 * snapshot. Claimed keys are those of documents and unique index entries, the only ones on which two writers
 * can conflict.
 */
export class TransactionTable {
  private readonly open = new Set<EngineTransaction>();
  private readonly intents = new Map<string, EngineTransaction>();
  private readonly lastWrites = new Map<string, number>();
  private pruneAt = PRUNE_AT;
  private recorded: Batch | undefined;
  private nextId = 1;

  constructor(
    private readonly store: Store,
    private readonly queue: () => WriteQueue,
    private readonly now: () => number,
    public lifetimeMs: number,
  ) {}

  begin(lsid: string, txnNumber: bigint): EngineTransaction {
    const inFlight = this.queue().inFlight;
    if (inFlight) this.record(inFlight);
    const snapshot = this.store.snapshot();
    try {
      const remembered = recordOf(snapshot.view, lsid);
      if (remembered && remembered.txnNumber > txnNumber) throw tooOld(txnNumber, remembered.txnNumber);
      const expiresAt = this.now() + this.lifetimeMs;
      const txn = new EngineTransaction(
        this.nextId++,
        lsid,
        txnNumber,
        snapshot,
        readSequence(snapshot.view),
        expiresAt,
      );
      this.open.add(txn);
      return txn;
    } catch (error) {
      snapshot.release();
      throw error;
    }
  }

  /** Throws unless the transaction may still read and write. */
  requireOpen(txn: EngineTransaction): void {
    if (txn.state === 'open' && !txn.committing && this.now() >= txn.expiresAt) this.expire(txn);
    if (txn.state !== 'open' || txn.committing) throw noSuchTransaction(txn.txnNumber);
  }

  /** Claims a key for the transaction. Throws WriteConflict if this is not possible. */
  claim(txn: EngineTransaction, key: Uint8Array): void {
    const text = keyText(key);
    const owner = this.intents.get(text);
    if (owner === txn) return;
    if (owner && !this.expired(owner)) throw writeConflict();
    const written = this.lastWrites.get(text);
    if (written !== undefined && written > txn.snapshotSeq) throw writeConflict();
    this.intents.set(text, txn);
    txn.intents.add(text);
  }

  /** A write outside a transaction may change the key only if no open transaction has claimed it. */
  requireUnclaimed(key: Uint8Array): void {
    if (this.intents.size === 0) return;
    const owner = this.intents.get(keyText(key));
    if (owner && !this.expired(owner)) throw new Blocked(owner.ended);
  }

  /** A change to the collection's definition must wait for transactions that have written to it. */
  requireUntouched(collection: Collection): void {
    for (const txn of this.open) {
      if (txn.counters.has(collection) && !this.expired(txn)) throw new Blocked(txn.ended);
    }
  }

  requireCurrent(txn: EngineTransaction, collection: Collection): void {
    if (collection.definedAt > txn.snapshotSeq && !txn.created.has(collection)) {
      throw snapshotUnavailable(collection.name);
    }
  }

  requireNotDropped(txn: EngineTransaction, name: string, droppedAt: number): void {
    if (droppedAt > txn.snapshotSeq) throw snapshotUnavailable(name);
  }

  async commit(txn: EngineTransaction): Promise<void> {
    if (txn.state === 'committed') return;
    if (txn.committing) return txn.committing;
    this.requireOpen(txn);
    if (!txn.dirty) {
      this.finish(txn, 'committed');
      return;
    }
    txn.committing = this.queue()
      .run((batch) => this.apply(txn, batch))
      .then(
        () => this.finish(txn, 'committed'),
        (error: unknown) => {
          this.finish(txn, 'aborted');
          throw error;
        },
      );
    return txn.committing;
  }

  abort(txn: EngineTransaction): void {
    if (txn.state === 'open' && !txn.committing) this.finish(txn, 'aborted');
  }

  /** Aborts transactions past their lifetime. */
  expireOld(): void {
    for (const txn of this.open) this.expired(txn);
  }

  abortAll(): void {
    for (const txn of this.open) this.abort(txn);
  }

  /**
   * Called after the statements of a batch: transactions with an older snapshot must not overwrite its
   * writes.
   */
  record(batch: Batch): void {
    if (this.recorded === batch) return;
    this.recorded = batch;
    for (const key of batch.claimed) this.lastWrites.set(keyText(key), batch.seq);
    if (this.lastWrites.size > this.pruneAt) this.prune();
  }

  recordIfNeeded(batch: Batch): void {
    if (this.open.size > 0) this.record(batch);
  }

  private apply(txn: EngineTransaction, batch: Batch): void {
    for (const { key, value } of txn.overlay.writes()) {
      if (value) batch.put(key, value);
      else batch.remove(key);
    }
    for (const text of txn.intents) batch.claimed.push(Buffer.from(text, 'latin1'));
    for (const [collection, change] of txn.counters) batch.count(collection, change.documents, change.bytes);
    for (const collection of txn.changedRows) batch.savedRows.add(collection);
    const owner = { lsid: txn.lsid, txnNumber: txn.txnNumber };
    for (const change of txn.changes) {
      change.txn = owner;
      batch.changes.push(change);
    }
    rememberCommit(batch, txn.lsid, txn.txnNumber, this.now());
  }

  private finish(txn: EngineTransaction, state: 'committed' | 'aborted'): void {
    if (!this.open.delete(txn)) return;
    for (const text of txn.intents) this.intents.delete(text);
    if (this.open.size === 0) {
      this.lastWrites.clear();
      this.recorded = undefined;
      this.pruneAt = PRUNE_AT;
    }
    txn.end(state);
  }

  private expired(txn: EngineTransaction): boolean {
    if (txn.state !== 'open') return true;
    if (txn.committing || this.now() < txn.expiresAt) return false;
    this.expire(txn);
    return true;
  }

  private expire(txn: EngineTransaction): void {
    this.finish(txn, 'aborted');
  }

  private prune(): void {
    let oldest = Infinity;
    for (const txn of this.open) oldest = Math.min(oldest, txn.snapshotSeq);
    for (const [key, seq] of this.lastWrites) if (seq <= oldest) this.lastWrites.delete(key);
    this.pruneAt = Math.max(PRUNE_AT, this.lastWrites.size * 2);
  }
}

const tooOld = (given: bigint, remembered: bigint): ServerError =>
  new ServerError(
    'TransactionTooOld',
    `Cannot start transaction with number ${given} because a newer transaction or retryable write ${remembered} has already started on this session.`,
  );
