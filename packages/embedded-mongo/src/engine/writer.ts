import type { Collection } from './catalog.js';
import type { Change } from './change-log.js';
import type { EngineTransaction } from './transaction.js';
import type { TransactionTable } from './transaction-table.js';
import type { View } from './view.js';
import type { Batch, CounterChange } from './write-queue.js';

/** Where a statement reads and writes: the current commit or a transaction's overlay. */
export interface Writer {
  readonly view: View;
  readonly txn: EngineTransaction | undefined;
  /**
   * Announces a write to the key of a document or a unique index entry. Throws `Blocked` when a write outside
   * a transaction conflicts with an open transaction, or WriteConflict when a transaction conflicts with
   * another writer. Must be called before anything is written.
   */
  claim(key: Uint8Array): void;
  put(key: Uint8Array, value: Uint8Array): void;
  remove(key: Uint8Array): void;
  count(collection: Collection, documents: number, bytes: number): void;
  /** Counter changes made so far in this commit or transaction. */
  pending(collection: Collection): CounterChange | undefined;
  /**
   * Requests that the collection's catalog row is written with this change, because an index became multikey
   * or truncates keys.
   */
  saveRow(collection: Collection): void;
  /**
   * Records a change for change streams, reported when it is committed. Call it after all writes of the
   * change.
   */
  note(change: Change): void;
}

export class PlainWriter implements Writer {
  readonly txn = undefined;
  readonly view: View;

  constructor(
    readonly batch: Batch,
    private readonly transactions: TransactionTable,
  ) {
    this.view = batch.store.view;
  }

  claim(key: Uint8Array): void {
    this.transactions.requireUnclaimed(key);
    this.batch.claimed.push(key);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.batch.put(key, value);
  }

  remove(key: Uint8Array): void {
    this.batch.remove(key);
  }

  count(collection: Collection, documents: number, bytes: number): void {
    this.batch.count(collection, documents, bytes);
  }

  pending(collection: Collection): CounterChange | undefined {
    return this.batch.counters.get(collection);
  }

  saveRow(collection: Collection): void {
    this.batch.savedRows.add(collection);
  }

  note(change: Change): void {
    this.batch.changes.push(change);
  }
}

export class TransactionWriter implements Writer {
  readonly view: View;

  constructor(
    readonly txn: EngineTransaction,
    private readonly transactions: TransactionTable,
  ) {
    this.view = txn.overlay;
  }

  claim(key: Uint8Array): void {
    this.transactions.claim(this.txn, key);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.txn.overlay.put(key, value);
  }

  remove(key: Uint8Array): void {
    this.txn.overlay.remove(key);
  }

  count(collection: Collection, documents: number, bytes: number): void {
    this.txn.count(collection, documents, bytes);
  }

  pending(collection: Collection): CounterChange | undefined {
    return this.txn.counters.get(collection);
  }

  saveRow(collection: Collection): void {
    this.txn.changedRows.add(collection);
  }

  note(change: Change): void {
    this.txn.changes.push(change);
  }
}
