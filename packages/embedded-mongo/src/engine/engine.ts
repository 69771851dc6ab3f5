import { existsSync, readdirSync } from 'node:fs';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Catalog, nameOf } from './catalog.js';
import type { Collection } from './catalog.js';
import { ChangeLog } from './change-log.js';
import {
  addCollection,
  createCollection,
  discardCreated,
  dropCollection,
  dropDatabase,
  refuseInTransaction,
  renameCollection,
} from './catalog-changes.js';
import { convertToCapped } from './convert-to-capped.js';
import { ClusterClock } from './cluster-clock.js';
import { countMatches } from './counting.js';
import { AwaitCursor, EmptyCursor, FindCursor } from './cursor.js';
import type { CursorSource } from './cursor.js';
import { findAndModify } from './find-and-modify.js';
import { GarbageCollector } from './garbage.js';
import { createIndexes, dropIndexes } from './index-changes.js';
import { insertDocuments } from './insert.js';
import { measureCollection } from './measure.js';
import { modifyCollection } from './modify-collection.js';
import { Ownership } from './owner.js';
import { checkQuery, PreparedQuery } from './prepared-query.js';
import { yieldToEventLoop, checkInterrupt } from './record-source.js';
import { recordOf } from './retry-records.js';
import { deleteDocuments, updateDocuments } from './statements.js';
import { Store } from './store.js';
import { makePrivate } from './private-files.js';
import type { EngineTransaction } from './transaction.js';
import { TransactionTable } from './transaction-table.js';
import { Sweeper } from './sweeper.js';
import type {
  CollectionChange,
  CollectionInfo,
  CollectionStats,
  DeleteStatement,
  Engine,
  EngineCursor,
  EngineOptions,
  FindAndModifySpec,
  FindSpec,
  Namespace,
  OpContext,
  PlanSummary,
  Transaction,
  UpdateStatement,
  ValidationResult,
  ViewDefinition,
} from './types.js';
import { validateCollection } from './validate.js';
import { WriteQueue } from './write-queue.js';
import type { Batch } from './write-queue.js';
import { isView, transactionOf } from './write-runner.js';
import type { EngineCore } from './write-runner.js';

const DEFAULT_LIFETIME_MS = 60_000;
const DEFAULT_SWEEP_MS = 60_000;
const EXPIRY_CHECK_MS = 1_000;

/**
 * Opens the store in `options.dir`, creating the directory if needed. Throws StoreInUse when a running
 * process has it open.
 */
export const openEngine = async (options: EngineOptions): Promise<Engine> => {
  const { store, ownership } = await Ownership.acquire(options.dir, (dir) => Store.open(dir), options.probe);
  return new StorageEngine(store, ownership, options);
};

class StorageEngine implements Engine {
  readonly changes: ChangeLog;
  private readonly core: EngineCore;
  private readonly garbage: GarbageCollector;
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly now: () => number;
  private readonly openedAt: number;
  private readonly sweeper: Sweeper;
  private sweepEvery: { ms: number; timer: NodeJS.Timeout | undefined } = { ms: 0, timer: undefined };
  private closing: Promise<void> | undefined;

  constructor(
    private readonly store: Store,
    private readonly ownership: Ownership,
    private readonly options: EngineOptions,
  ) {
    this.now = options.now ?? Date.now;
    this.changes = new ChangeLog(new ClusterClock(this.now), this.now, options.changeLog);
    this.openedAt = this.now();
    const catalog = new Catalog(store.view);
    const lifetime = options.transactionLifetimeMs ?? DEFAULT_LIFETIME_MS;
    const transactions = new TransactionTable(store, () => queue, this.now, lifetime);
    const queue = new WriteQueue(store, {
      beforeCommit: (batch) => saveRows(batch),
      written: (batch) => transactions.recordIfNeeded(batch),
      committed: (batch) => this.changes.append(batch.changes),
    });
    const core: EngineCore = {
      catalog,
      queue,
      transactions,
      now: this.now,
      createImplicitly: (batch, ns) => addCollection(core, batch, ns, {}),
      discard: (collection) => {
        discardCreated(core, collection).then(
          () => !this.closing && this.garbage.start(),
          (error: unknown) => {
            if (!this.closing)
              this.log('error', 'failed to remove a collection created by an aborted transaction', error);
          },
        );
      },
    };
    this.core = core;
    this.garbage = new GarbageCollector(store.view, queue, isBuilding(catalog), (error) => {
      this.log('error', 'failed to delete the data of a dropped collection or index', error);
    });
    this.garbage.start();
    this.sweeper = new Sweeper(core, store.view, (error) => {
      this.log('error', 'the periodic cleanup failed', error);
    });
    this.ttlSweepMs = options.ttlSweepMs ?? DEFAULT_SWEEP_MS;
    this.every(Math.min(EXPIRY_CHECK_MS, Math.max(10, lifetime / 4)), () => transactions.expireOld());
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  setEndpoint(endpoint: string): Promise<void> {
    return this.ownership.publish(endpoint);
  }

  sweep(): Promise<void> {
    return this.sweeper.sweep();
  }

  databases(): { name: string; sizeOnDisk: number; empty: boolean }[] {
    const sizes = new Map<string, number>();
    for (const collection of this.core.catalog.all()) {
      if (collection.isHiddenFrom(undefined)) continue;
      sizes.set(collection.ns.db, (sizes.get(collection.ns.db) ?? 0) + collection.bytes);
    }
    return [...sizes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, bytes]) => ({ name, sizeOnDisk: Math.max(bytes, 4_096), empty: false }));
  }

  collections(db: string, ctx: OpContext = {}): CollectionInfo[] {
    const txn = transactionOf(ctx);
    const all = this.core.catalog.of(db).filter((collection) => !collection.isHiddenFrom(txn));
    return all.map((collection) => collection.info());
  }

  collection(ns: Namespace, ctx: OpContext = {}): CollectionInfo | undefined {
    const collection = this.core.catalog.get(ns);
    return collection?.isHiddenFrom(transactionOf(ctx)) ? undefined : collection?.info();
  }

  get hasViews(): boolean {
    return this.core.catalog.hasViews;
  }

  view(ns: Namespace): ViewDefinition | undefined {
    return this.core.catalog.get(ns)?.traits.view;
  }

  createCollection(ns: Namespace, options: Doc, ctx: OpContext): Promise<void> {
    return createCollection(this.core, ns, options, ctx);
  }

  async dropCollection(ns: Namespace, ctx: OpContext): Promise<{ nIndexesWas?: number } | undefined> {
    refuseInTransaction(ctx, 'drop');
    const dropped = await dropCollection(this.core, ns);
    this.garbage.start();
    return dropped;
  }

  async dropDatabase(db: string, ctx: OpContext): Promise<boolean> {
    refuseInTransaction(ctx, 'dropDatabase');
    const dropped = await dropDatabase(this.core, db);
    this.garbage.start();
    return dropped;
  }

  async renameCollection(from: Namespace, to: Namespace, dropTarget: boolean, ctx: OpContext): Promise<void> {
    refuseInTransaction(ctx, 'renameCollection');
    await renameCollection(this.core, from, to, dropTarget);
    this.garbage.start();
  }

  modifyCollection(ns: Namespace, change: CollectionChange, ctx: OpContext): Promise<Doc> {
    refuseInTransaction(ctx, 'collMod');
    return modifyCollection(this.core, ns, change);
  }

  async convertToCapped(ns: Namespace, size: number, ctx: OpContext): Promise<void> {
    refuseInTransaction(ctx, 'convertToCapped');
    await convertToCapped(this.core, ns, size, ctx);
    this.garbage.start();
  }

  createIndexes(ns: Namespace, specs: Doc[], ctx: OpContext) {
    return createIndexes(this.core, this.garbage, ns, specs, ctx);
  }

  async dropIndexes(
    ns: Namespace,
    which: string | Doc | string[],
    ctx: OpContext,
  ): Promise<{ nIndexesWas: number }> {
    refuseInTransaction(ctx, 'dropIndexes');
    const nIndexesWas = await dropIndexes(this.core, ns, which);
    this.garbage.start();
    return { nIndexesWas };
  }

  insert(ns: Namespace, docs: Uint8Array[], ordered: boolean, ctx: OpContext) {
    return insertDocuments(this.core, ns, docs, ordered, ctx);
  }

  update(ns: Namespace, statements: UpdateStatement[], ordered: boolean, ctx: OpContext) {
    return updateDocuments(this.core, ns, statements, ordered, ctx);
  }

  delete(ns: Namespace, statements: DeleteStatement[], ordered: boolean, ctx: OpContext) {
    return deleteDocuments(this.core, ns, statements, ordered, ctx);
  }

  findAndModify(ns: Namespace, spec: FindAndModifySpec, ctx: OpContext) {
    return findAndModify(this.core, ns, spec, ctx);
  }

  find(ns: Namespace, spec: FindSpec, ctx: OpContext): EngineCursor {
    const collection = this.readable(ns, ctx);
    if (!collection) return new EmptyCursor(spec);
    if (spec.tailable && !collection.traits.capped) throw notCapped(collection.name);
    const Cursor = spec.awaitData ? AwaitCursor : FindCursor;
    return new Cursor(collection, spec, ctx, this.reader(ctx));
  }

  async count(ns: Namespace, spec: FindSpec, ctx: OpContext): Promise<number> {
    const collection = this.readable(ns, ctx);
    if (!collection) {
      checkQuery(spec);
      return 0;
    }
    return countMatches(collection, spec, ctx, this.reader(ctx), transactionOf(ctx));
  }

  explain(ns: Namespace, spec: FindSpec, ctx: OpContext): PlanSummary {
    const collection = this.readable(ns, ctx);
    if (!collection) return new EmptyCursor().plan;
    return new PreparedQuery(collection, spec, transactionOf(ctx)?.snapshotSeq).summary;
  }

  async collectionStats(ns: Namespace, ctx: OpContext): Promise<CollectionStats> {
    const collection = this.core.catalog.get(ns);
    if (!collection) return { count: 0, size: 0, storageSize: 0, indexSizes: {} };
    return measureCollection(collection, this.reader({}).view, this.now, ctx);
  }

  indexUse(ns: Namespace): { name: string; ops: number; since: number }[] {
    const indexes = this.core.catalog.get(ns)?.indexes ?? [];
    return indexes
      .filter((index) => index.readyAt !== undefined)
      .map(({ spec, uses, since }) => ({ name: spec.name, ops: uses, since: since ?? this.openedAt }));
  }

  get transactionLifetimeMs(): number {
    return this.core.transactions.lifetimeMs;
  }

  set transactionLifetimeMs(ms: number) {
    this.core.transactions.lifetimeMs = ms;
  }

  get ttlSweepMs(): number {
    return this.sweepEvery.ms;
  }

  set ttlSweepMs(ms: number) {
    clearInterval(this.sweepEvery.timer);
    this.sweepEvery = { ms, timer: setInterval(() => void this.sweep(), ms).unref() };
  }

  flushed(): Promise<void> {
    return this.core.queue.run(() => undefined);
  }

  get expired(): { documents: number; passes: number } {
    return this.sweeper.ttl;
  }

  async validate(ns: Namespace, ctx: OpContext): Promise<ValidationResult | undefined> {
    const collection = this.readable(ns, {});
    if (!collection) return undefined;
    return validateCollection(collection, this.store.snapshot(), () => {
      this.requireRunning();
      checkInterrupt(ctx, this.now);
    });
  }

  beginTransaction(owner: { lsid: string; txnNumber: bigint }): Transaction {
    this.requireRunning();
    return this.core.transactions.begin(owner.lsid, owner.txnNumber);
  }

  commitTransaction(txn: Transaction): Promise<void> {
    return this.core.transactions.commit(txn as EngineTransaction);
  }

  abortTransaction(txn: Transaction): void {
    this.core.transactions.abort(txn as EngineTransaction);
  }

  transactionOutcome(lsid: string, txnNumber: bigint): 'committed' | 'unknown' {
    const record = recordOf(this.store.view, lsid);
    return record?.committed && record.txnNumber === txnNumber ? 'committed' : 'unknown';
  }

  async backup(dir: string): Promise<void> {
    this.requireRunning();
    if (existsSync(dir) && readdirSync(dir).length > 0) {
      throw new ServerError('InvalidOptions', `the directory for a backup must be empty: ${dir}`);
    }
    makePrivate(dir);
    await this.store.copy(dir, false);
    makePrivate(dir);
  }

  private readable(ns: Namespace, ctx: OpContext): Collection | undefined {
    this.requireRunning();
    const { catalog, transactions } = this.core;
    const txn = transactionOf(ctx);
    const collection = catalog.get(ns);
    if (txn) {
      transactions.requireOpen(txn);
      transactions.requireNotDropped(txn, nameOf(ns), catalog.droppedSequence(ns));
    }
    if (collection?.traits.view) throw isView(collection.name);
    return collection;
  }

  private reader(ctx: OpContext): CursorSource {
    const txn = transactionOf(ctx);
    const { now, store } = this;
    if (!txn) {
      return {
        now,
        view: () => {
          this.requireRunning();
          return store.view;
        },
      };
    }
    return {
      now,
      snapshotSeq: txn.snapshotSeq,
      view: () => {
        this.core.transactions.requireOpen(txn);
        return txn.overlay;
      },
    };
  }

  private requireRunning(): void {
    if (this.closing) throw shuttingDown();
  }

  private async shutDown(): Promise<void> {
    for (const timer of [...this.timers, this.sweepEvery.timer]) clearInterval(timer);
    this.core.transactions.abortAll();
    // Aborting also schedules the removal of collections that the transactions created.
    await yieldToEventLoop();
    const stopped = this.garbage.stop();
    const swept = this.sweeper.stop();
    await this.core.queue.close(shuttingDown());
    await stopped;
    await swept;
    await this.ownership.release();
    await this.store.close();
    this.ownership.forget();
  }

  private every(ms: number, work: () => void): void {
    this.timers.push(setInterval(work, ms).unref());
  }

  private log(level: 'info' | 'warn' | 'error', message: string, error: unknown): void {
    this.options.log?.(level, message, { error: error instanceof Error ? error.message : String(error) });
  }
}

const notCapped = (name: string): ServerError =>
  new ServerError(
    'BadValue',
    `error processing query: ns=${name} tailable cursor requested on non capped collection`,
  );

const shuttingDown = (): ServerError => new ServerError('InterruptedAtShutdown', 'interrupted at shutdown');

/** Writes the catalog rows that statements of the batch changed. */
const saveRows = (batch: Batch): void => {
  for (const collection of batch.savedRows) {
    if (collection.dropped) continue;
    const inRow = collection.indexes.filter((index) => !index.building);
    const saved = inRow.map((index) => index.savingFlags());
    batch.put(collection.rowKey(), collection.row());
    batch.afterCommit.push(...saved);
  }
};

const isBuilding =
  (catalog: Catalog) =>
  (collectionId: number, indexId: number): boolean => {
    for (const collection of catalog.all()) {
      if (collection.id === collectionId) {
        return collection.indexes.some((index) => index.id === indexId && index.building);
      }
    }
    return false;
  };
