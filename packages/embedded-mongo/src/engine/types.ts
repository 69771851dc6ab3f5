import type { Doc, Value } from '../values/bson.js';
import type { ErrorCodeName } from '../values/errors.js';
import type { ChangeLog, ChangeLogLimits } from './change-log.js';
import type { Namespace } from './namespace.js';

export type { Namespace } from './namespace.js';

/** Index options as clients give and see them; `key` keeps the order of its fields. */
export interface IndexSpec {
  v: 2;
  name: string;
  key: Doc;
  /** Shown as it was given; every build is the same. */
  background?: boolean;
  unique?: boolean;
  sparse?: boolean;
  hidden?: boolean;
  partialFilterExpression?: Doc;
  expireAfterSeconds?: number;
  collation?: Doc;
  wildcardProjection?: Doc;
  /** The `_id` index of a clustered collection. */
  clustered?: boolean;
}

/** A view: the documents of `viewOn`, a collection or view of the same database, after `pipeline`. */
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
  /** A view holds no documents and has no indexes. */
  type: 'collection' | 'view';
  /**
   * `create` options as given: validator, validationLevel, validationAction, capped …; returned by
   * listCollections.
   */
  options: Doc;
  indexes: IndexSpec[];
}

/**
 * What each write and read is done under. `txn`: the open multi-document transaction, if any. `retry`: set
 * for a retryable write outside of a transaction; the engine stores each statement's outcome in the same
 * commit and returns it when (lsid, txnNumber, statement) is repeated; `stmtIds` numbers the statements of
 * this call when one command is made of several calls (default 0, 1, 2 …). `durable`: the client wants j:true
 * or w:majority. At present every write waits for the flush to disk.
 */
export interface OpContext {
  txn?: Transaction;
  retry?: { lsid: string; txnNumber: bigint; stmtIds?: readonly number[] };
  durable?: boolean;
  /** Epoch milliseconds after which the operation stops with MaxTimeMSExpired (50). */
  deadline?: number;
  signal?: { readonly killed: boolean; readonly reason?: ErrorCodeName };
  bypassDocumentValidation?: boolean;
  /** What the operation's queries have examined so far; set by the first of them. */
  examined?: Examined;
  /** True while the operation waits for a transaction to end. */
  waiting?: boolean;
  /** Told what each update or delete statement of the call did. */
  statementDone?: (
    index: number,
    outcome: { n: number; nModified?: number; upserted?: { _id: Value } },
  ) => void;
  /**
   * Called before each statement of a retryable write that is not yet done; what it throws fails the
   * statement.
   */
  beforeStatement?: (() => void) | undefined;
}

/** What an operation's queries have looked at, all together. */
export interface Examined {
  keysExamined: number;
  docsExamined: number;
  /** The plan of the first query. */
  plan(): PlanSummary;
}

/** One statement's failure, in the shape of the wire's `writeErrors`. */
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
  /** Operator document, replacement document, or pipeline. */
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
  /** 0 = all that match, 1 = one. */
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
  /**
   * The document before or after the change (projected by `fields`), as BSON bytes; null when there was none.
   */
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
   * The cursor stays open at the end of a capped collection and gives what is inserted later. Throws BadValue
   * on any other collection; done at once on an empty one.
   */
  tailable?: boolean;
  /** A tailable cursor has `onMore`. */
  awaitData?: boolean;
}

/** What collMod changes; what is absent stays. */
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
  /** Options that take the place of those of the same name; undefined takes one away. */
  options?: Doc;
}

/** What explain reports of one query. */
export interface PlanSummary {
  stage: 'IXSCAN' | 'COLLSCAN' | 'IDHACK' | 'OR' | 'EOF';
  /** True when what the access gives is checked against the filter. */
  filtered: boolean;
  indexName?: string;
  keyPattern?: Doc;
  indexFlags?: { isMultiKey: boolean; isUnique: boolean; isSparse: boolean; isPartial: boolean };
  direction?: 'forward' | 'backward';
  /** Human-readable bounds per field, as MongoDB prints them. */
  indexBounds?: Doc;
  /** True when the index does not give the order and the matches are sorted in memory. */
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
 * Documents of one query. Outside of a transaction it holds no snapshot between batches: it resumes after the
 * last key. A cursor whose collection was dropped throws QueryPlanKilled (175); one that scans a capped
 * collection and whose last document was removed meanwhile throws CappedPositionLost (136).
 */
export interface EngineCursor {
  /**
   * Up to `maxDocs` documents, or fewer so that their bytes stay within `maxBytes` (at least one). Yields on
   * long scans.
   */
  next(maxDocs: number, maxBytes?: number): Promise<{ docs: Uint8Array[]; done: boolean }>;
  readonly plan: PlanSummary;
  readonly stats: ScanStats;
  close(): void;
  /** Calls `wake` after each commit that may have brought more, until the returned function is called. */
  onMore?(wake: () => void): () => void;
}

/**
 * An open multi-document transaction. A collection that it creates, or inserts into when there is none, is
 * created at once, by a commit of its own, and so are the indexes that it adds to such a collection while
 * that is empty. Others see it from the commit on, and it goes when the transaction aborts, unless others
 * have inserted into it meanwhile; a crash may leave it, empty. Other catalog changes are refused inside of
 * it. Its life is limited by the engine's `transactionLifetimeMs` (default 60,000).
 */
export interface Transaction {
  readonly id: number;
  readonly state: 'open' | 'committed' | 'aborted';
  /** True once it has written something. */
  readonly dirty: boolean;
}

export interface CollectionStats {
  count: number;
  /** Sum of the documents' BSON sizes, bytes. */
  size: number;
  storageSize: number;
  indexSizes: Record<string, number>;
}

/**
 * What a reading of a whole collection found: numbers of documents and entries, and what is wrong, in words.
 */
export interface ValidationResult {
  documents: number;
  /** Documents that cannot be read. */
  corrupt: number;
  /** Stored entries by the name of the index; those that are missing and those that no document has. */
  keysPerIndex: Record<string, number>;
  missing: Record<string, number>;
  extra: Record<string, number>;
  errors: string[];
}

export interface EngineOptions {
  dir: string;
  /** Epoch milliseconds; tests inject a fake. */
  now?: () => number;
  /**
   * Checks whether a store's server listens at `endpoint`: distinguishes a living owner from a crashed one
   * where its process cannot be seen, in another pid namespace or on a system that does not show when a
   * process started.
   */
  probe?: (endpoint: string) => Promise<boolean>;
  transactionLifetimeMs?: number;
  ttlSweepMs?: number;
  /** How much of what was committed is remembered for change streams. */
  changeLog?: ChangeLogLimits;
  log?: (level: 'info' | 'warn' | 'error', message: string, details?: object) => void;
}

/**
 * The storage engine: collections, indexes, queries, writes and transactions, with no knowledge of wire or
 * commands. Failures are `MongoServerError`-like `ServerError`s of `values/errors.ts` with MongoDB's code,
 * codeName and labels. A write inside a transaction that fails throws (the command layer aborts the
 * transaction); outside of one, statement failures are collected in `writeErrors` (`ordered`: stop at the
 * first).
 */
export interface Engine {
  /** What was committed since the store was opened, as far as it is remembered. */
  readonly changes: ChangeLog;

  /** Aborts open transactions, finishes accepted writes, gives the store free. */
  close(): Promise<void>;
  /** Tells other processes, durably, where this store is served: `readOwner(dir)` finds it. */
  setEndpoint(endpoint: string): Promise<void>;
  /** One round of the periodic work: expired documents, old transactions, unused retry records. */
  sweep(): Promise<void>;

  databases(): DatabaseInfo[];
  collections(db: string, ctx?: OpContext): CollectionInfo[];
  collection(ns: Namespace, ctx?: OpContext): CollectionInfo | undefined;
  /** Whether there is any view; false saves the lookup. */
  readonly hasViews: boolean;
  view(ns: Namespace): ViewDefinition | undefined;
  createCollection(ns: Namespace, options: Doc, ctx: OpContext): Promise<void>;
  /** A view has no indexes to count. */
  dropCollection(ns: Namespace, ctx: OpContext): Promise<{ nIndexesWas?: number } | undefined>;
  /**
   * Caps a collection, removes its oldest documents beyond `size` bytes and all its indexes but that of
   * `_id`.
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
  /** `which`: a name, a key pattern, a list of names, or '*' for all but `_id_`. */
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
  /** Count of matches; without a filter from the collection's counter or a key count. */
  count(ns: Namespace, spec: FindSpec, ctx: OpContext): Promise<number>;
  explain(ns: Namespace, spec: FindSpec, ctx: OpContext): PlanSummary;
  /** Counts what no counter knows, in slices; stops as `ctx` demands. */
  collectionStats(ns: Namespace, ctx: OpContext): Promise<CollectionStats>;
  /** How often each index was used by queries since the store was opened, or the index made. */
  indexUse(ns: Namespace): { name: string; ops: number; since: number }[];
  /** How long transactions that begin from now on may last, milliseconds. */
  transactionLifetimeMs: number;
  /** How often expired documents are removed; a new period begins when it is set. */
  ttlSweepMs: number;
  /** Resolves once the writes that have been received are on disk, and visible to new snapshots. */
  flushed(): Promise<void>;
  /** What the TTL sweeps have done since the store was opened. */
  readonly expired: { documents: number; passes: number };
  /**
   * Compares documents, index entries and counters of one moment; undefined when there is no such collection.
   */
  validate(ns: Namespace, ctx: OpContext): Promise<ValidationResult | undefined>;

  /** Opens the snapshot at once. */
  beginTransaction(owner: { lsid: string; txnNumber: bigint }): Transaction;
  /** Idempotent once committed. Throws NoSuchTransaction (251) for one that was aborted or timed out. */
  commitTransaction(txn: Transaction, durable: boolean): Promise<void>;
  abortTransaction(txn: Transaction): void;
  /** What the store remembers durably of (lsid, txnNumber), for retried commits after a restart. */
  transactionOutcome(lsid: string, txnNumber: bigint): 'committed' | 'unknown';

  /** Copies the store to an empty directory while it is in use. */
  backup(dir: string): Promise<void>;
}
