import type { Doc, Value } from '../values/bson.js';
import type { ErrorCodeName } from '../values/errors.js';
import type { ChangeLog, ChangeLogLimits } from './change-log.js';
import type { Namespace } from './namespace.js';

export type { Namespace } from './namespace.js';

/** Index options as given by and returned to clients. The field order of `key` is kept. */
export interface IndexSpec {
  v: 2;
  name: string;
  key: Doc;
  /** Returned as given. All builds work the same way. */
  background?: boolean;
  unique?: boolean;
  sparse?: boolean;
  hidden?: boolean;
  partialFilterExpression?: Doc;
  expireAfterSeconds?: number;
  collation?: Doc;
  wildcardProjection?: Doc;
  /** Set for the `_id` index of a clustered collection. */
  clustered?: boolean;
}

/**
 * A view: the documents of `viewOn`, a collection or view in the same database, passed through `pipeline`.
 */
export interface ViewDefinition {
  viewOn: string;
  pipeline: Doc[];
  collation: Doc | undefined;
}

export interface DatabaseInfo {
  name: string;
  /** Bytes. */
  sizeOnDisk: number;
  empty: boolean;
}

export interface CollectionInfo {
  ns: Namespace;
  id: number;
  uuid: Uint8Array;
  /** Views store no documents and have no indexes. */
  type: 'collection' | 'view';
  /**
   * Options of `create` as given: validator, validationLevel, validationAction, capped … Returned by
   * listCollections.
   */
  options: Doc;
  indexes: IndexSpec[];
}

/**
 * The context of each read and write.
 *
 * `txn`: the open multi-document transaction, if any.
 *
 * `retry`: set for a retryable write outside a transaction. The engine stores the outcome of each statement
 * in the same commit, and returns it if (lsid, txnNumber, statement) is repeated. `stmtIds` numbers the
 * statements of this call if a command is executed by several calls (by default 0, 1, 2 …).
 *
 * `durable`: the client requires j:true or w:majority. At present every write waits until it is flushed to
 * disk.
 */
export interface OpContext {
  txn?: Transaction;
  retry?: { lsid: string; txnNumber: bigint; stmtIds?: readonly number[] };
  durable?: boolean;
  /** Epoch milliseconds after which the operation fails with MaxTimeMSExpired (50). */
  deadline?: number;
  signal?: { readonly killed: boolean; readonly reason?: ErrorCodeName };
  bypassDocumentValidation?: boolean;
  /** Totals examined by the operation's queries. Set by the first query. */
  examined?: Examined;
  /** True while the operation waits for a transaction to end. */
  waiting?: boolean;
  /** Called with the result of each update or delete statement. */
  statementDone?: (
    index: number,
    outcome: { n: number; nModified?: number; upserted?: { _id: Value } },
  ) => void;
  /**
   * Called before each statement of a retryable write that has not been executed yet. If it throws, the
   * statement fails.
   */
  beforeStatement?: (() => void) | undefined;
}

/** What the queries of an operation have examined in total. */
export interface Examined {
  keysExamined: number;
  docsExamined: number;
  /** Returns the plan of the first query. */
  plan(): PlanSummary;
}

/** The failure of one statement, as in `writeErrors` of the wire protocol. */
export interface WriteError {
  index: number;
  code: number;
  errmsg: string;
  keyPattern?: Doc;
  keyValue?: Doc;
  errInfo?: Doc;
}

export interface InsertResult {
  n: number;
  writeErrors: WriteError[];
}

export interface UpdateStatement {
  filter: Doc;
  /** A document with operators, a replacement document, or a pipeline. */
  update: Doc | Doc[];
  multi?: boolean;
  upsert?: boolean;
  arrayFilters?: Doc[];
  collation?: Doc;
  hint?: string | Doc;
  let?: Doc;
  sort?: Doc;
}

export interface UpdateResult {
  n: number;
  nModified: number;
  upserted: { index: number; _id: Value }[];
  writeErrors: WriteError[];
}

export interface DeleteStatement {
  filter: Doc;
  /** 0: all matches. 1: one match. */
  limit: 0 | 1;
  collation?: Doc;
  hint?: string | Doc;
  let?: Doc;
}

export interface DeleteResult {
  n: number;
  writeErrors: WriteError[];
}

export interface FindAndModifySpec {
  filter: Doc;
  sort?: Doc;
  remove?: boolean;
  update?: Doc | Doc[];
  upsert?: boolean;
  returnNew?: boolean;
  fields?: Doc;
  arrayFilters?: Doc[];
  collation?: Doc;
  hint?: string | Doc;
  let?: Doc;
}

export interface FindAndModifyResult {
  /** The document before or after the change as BSON, projected by `fields`. Null if there was none. */
  value: Uint8Array | null;
  n: number;
  updatedExisting?: boolean;
  upsertedId?: Value;
}

export interface FindSpec {
  filter: Doc;
  sort?: Doc;
  projection?: Doc;
  skip?: number;
  /** 0 or absent: no limit. */
  limit?: number;
  hint?: string | Doc;
  collation?: Doc;
  let?: Doc;
  min?: Doc;
  max?: Doc;
  returnKey?: boolean;
  showRecordId?: boolean;
  /**
   * The cursor stays open at the end of a capped collection and returns documents inserted later. Throws
   * BadValue for any other collection. On an empty collection, the cursor is done immediately.
   */
  tailable?: boolean;
  /** Whether a tailable cursor provides `onMore`. */
  awaitData?: boolean;
}

/** The changes of collMod. Absent fields are not changed. */
export interface CollectionChange {
  index?: Doc;
  validator?: Doc;
  validationLevel?: string;
  validationAction?: string;
  cappedSize?: number;
  cappedMax?: number;
  viewOn?: string;
  pipeline?: Doc[];
  changeStreamPreAndPostImages?: Doc;
  /** Options to replace. An undefined value removes the option. */
  options?: Doc;
}

/** What explain reports about one query. */
export interface PlanSummary {
  stage: 'IXSCAN' | 'COLLSCAN' | 'IDHACK' | 'OR' | 'EOF';
  /** Whether documents from the access plan are checked against the filter. */
  filtered: boolean;
  indexName?: string;
  keyPattern?: Doc;
  indexFlags?: { isMultiKey: boolean; isUnique: boolean; isSparse: boolean; isPartial: boolean };
  direction?: 'forward' | 'backward';
  /** Readable bounds per field, in MongoDB's format. */
  indexBounds?: Doc;
  /** True if the index does not provide the sort order, so matches are sorted in memory. */
  blockingSort: boolean;
  inputs?: PlanSummary[];
}

export interface ScanStats {
  keysExamined: number;
  docsExamined: number;
  /** Documents that passed the filter, before sort, skip and limit. */
  matched: number;
  nReturned: number;
}

/**
 * The documents of a query. Outside transactions, a cursor holds no snapshot between batches and resumes
 * after the last key. Throws QueryPlanKilled (175) if the collection was dropped, and CappedPositionLost
 * (136) if a scan of a capped collection continues after a document that has been removed.
 */
export interface EngineCursor {
  /**
   * Returns up to `maxDocs` documents whose total size does not exceed `maxBytes`, but at least one document.
   * Long scans yield to the event loop.
   */
  next(maxDocs: number, maxBytes?: number): Promise<{ docs: Uint8Array[]; done: boolean }>;
  readonly plan: PlanSummary;
  readonly stats: ScanStats;
  close(): void;
  /** Calls `wake` after each commit that may have added documents, until the returned function is called. */
  onMore?(wake: () => void): () => void;
}

/**
 * An open multi-document transaction.
 *
 * A collection that it creates, explicitly or by inserting, is created immediately in a separate commit. So
 * are indexes that it adds to such a collection while that is empty. Others see the collection after the
 * transaction commits. If it aborts, the collection is removed, unless others have inserted into it. A crash
 * may leave an empty collection. Other catalog changes are not allowed in a transaction.
 *
 * Its lifetime is limited by the engine's `transactionLifetimeMs` (60,000 by default).
 */
export interface Transaction {
  readonly id: number;
  readonly state: 'open' | 'committed' | 'aborted';
  /** Whether it has written anything. */
  readonly dirty: boolean;
}

export interface CollectionStats {
  count: number;
  /** Total BSON size of the documents, bytes. */
  size: number;
  storageSize: number;
  indexSizes: Record<string, number>;
}

/**
 * The result of validating a collection: the number of documents and entries, and descriptions of the errors.
 */
export interface ValidationResult {
  documents: number;
  /** Number of documents that cannot be read. */
  corrupt: number;
  /** Stored, missing and surplus entries by index name. */
  keysPerIndex: Record<string, number>;
  missing: Record<string, number>;
  extra: Record<string, number>;
  errors: string[];
}

export interface EngineOptions {
  dir: string;
  /** Returns epoch milliseconds. Tests can replace it. */
  now?: () => number;
  /**
   * Checks whether a store's server listens at `endpoint`. Distinguishes a live owner from a crashed one if
   * its process is not visible: in another PID namespace, or on a system that does not report when a process
   * started.
   */
  probe?: (endpoint: string) => Promise<boolean>;
  transactionLifetimeMs?: number;
  ttlSweepMs?: number;
  /** Limits of the change log for change streams. */
  changeLog?: ChangeLogLimits;
  log?: (level: 'info' | 'warn' | 'error', message: string, details?: object) => void;
}

/**
 * The storage engine: collections, indexes, queries, writes and transactions, without knowledge of the wire
 * protocol or commands.
 *
 * Errors are `ServerError`s of `values/errors.ts` with MongoDB's code, name and labels. In a transaction, a
 * failing write throws, and the command layer aborts the transaction. Outside transactions, failures of
 * statements are collected in `writeErrors`; `ordered` stops at the first one.
 */
export interface Engine {
  /** The changes committed since the store was opened, within the limits of the log. */
  readonly changes: ChangeLog;

  /** Aborts open transactions, finishes accepted writes and releases the store. */
  close(): Promise<void>;
  /** Durably records where this store is served. `readOwner(dir)` in other processes returns it. */
  setEndpoint(endpoint: string): Promise<void>;
  /** Runs one round of cleanup: expired documents, old transactions and unused retry records. */
  sweep(): Promise<void>;

  databases(): DatabaseInfo[];
  collections(db: string, ctx?: OpContext): CollectionInfo[];
  collection(ns: Namespace, ctx?: OpContext): CollectionInfo | undefined;
  /** Whether any view exists. If not, lookups can be skipped. */
  readonly hasViews: boolean;
  view(ns: Namespace): ViewDefinition | undefined;
  createCollection(ns: Namespace, options: Doc, ctx: OpContext): Promise<void>;
  /** The number of dropped indexes is absent for views. */
  dropCollection(ns: Namespace, ctx: OpContext): Promise<{ nIndexesWas?: number } | undefined>;
  /**
   * Makes a collection capped, and removes its oldest documents beyond `size` bytes and all indexes except
   * `_id_`.
   */
  convertToCapped(ns: Namespace, size: number, ctx: OpContext): Promise<void>;
  dropDatabase(db: string, ctx: OpContext): Promise<boolean>;
  renameCollection(from: Namespace, to: Namespace, dropTarget: boolean, ctx: OpContext): Promise<void>;
  modifyCollection(ns: Namespace, change: CollectionChange, ctx: OpContext): Promise<Doc>;

  createIndexes(
    ns: Namespace,
    specs: Doc[],
    ctx: OpContext,
  ): Promise<{ createdCollection: boolean; before: number; after: number }>;
  /** `which`: a name, a key pattern, a list of names, or '*' for all except `_id_`. */
  dropIndexes(
    ns: Namespace,
    which: string | Doc | string[],
    ctx: OpContext,
  ): Promise<{ nIndexesWas: number }>;

  insert(ns: Namespace, docs: Uint8Array[], ordered: boolean, ctx: OpContext): Promise<InsertResult>;
  update(
    ns: Namespace,
    statements: UpdateStatement[],
    ordered: boolean,
    ctx: OpContext,
  ): Promise<UpdateResult>;
  delete(
    ns: Namespace,
    statements: DeleteStatement[],
    ordered: boolean,
    ctx: OpContext,
  ): Promise<DeleteResult>;
  findAndModify(ns: Namespace, spec: FindAndModifySpec, ctx: OpContext): Promise<FindAndModifyResult>;

  find(ns: Namespace, spec: FindSpec, ctx: OpContext): EngineCursor;
  /** Number of matches. Without a filter it is taken from the collection's counter. */
  count(ns: Namespace, spec: FindSpec, ctx: OpContext): Promise<number>;
  explain(ns: Namespace, spec: FindSpec, ctx: OpContext): PlanSummary;
  /**
   * Sizes of the collection and its indexes. Values without a counter are computed in slices; `ctx` can stop
   * this.
   */
  collectionStats(ns: Namespace, ctx: OpContext): Promise<CollectionStats>;
  /** How often queries have used each index since the store was opened or the index was created. */
  indexUse(ns: Namespace): { name: string; ops: number; since: number }[];
  /** Maximum duration of transactions that start from now on, milliseconds. */
  transactionLifetimeMs: number;
  /** Interval for removing expired documents, milliseconds. Setting it starts a new interval. */
  ttlSweepMs: number;
  /** Resolves when all writes received so far are on disk and visible to new snapshots. */
  flushed(): Promise<void>;
  /** Totals of the TTL sweeps since the store was opened. */
  readonly expired: { documents: number; passes: number };
  /**
   * Compares documents, index entries and counters in one snapshot. Returns undefined if there is no such
   * collection.
   */
  validate(ns: Namespace, ctx: OpContext): Promise<ValidationResult | undefined>;

  /** Opens the snapshot immediately. */
  beginTransaction(owner: { lsid: string; txnNumber: bigint }): Transaction;
  /**
   * Idempotent after the commit. Throws NoSuchTransaction (251) if the transaction was aborted or timed out.
   */
  commitTransaction(txn: Transaction, durable: boolean): Promise<void>;
  abortTransaction(txn: Transaction): void;
  /** What the store has durably recorded about (lsid, txnNumber), for retried commits after a restart. */
  transactionOutcome(lsid: string, txnNumber: bigint): 'committed' | 'unknown';

  /** Copies the store to an empty directory while it is in use. */
  backup(dir: string): Promise<void>;
}
