import type { Engine, Namespace, OpContext, Transaction } from '../engine/types.js';
import type { Doc, Value } from '../values/bson.js';
import type { ErrorCodeName, ServerError } from '../values/errors.js';
import type { ReplyDoc, ReplyValue } from './bson-writer.js';

/** A source of batches for a cursor: an engine cursor or a pipeline. */
export interface BatchSource {
  next(maxDocs: number, maxBytes?: number): Promise<Batch>;
  close(): void;
  /** Additional fields of the reply's `cursor`, such as `postBatchResumeToken`. Called after each batch. */
  replyFields?(): ReplyDoc;
}

/** `done`: there are no more documents. An empty batch that is not done keeps the cursor open. */
export interface Batch {
  docs: Uint8Array[];
  done: boolean;
}

/**
 * A cursor that may receive documents later, such as a change stream or a tailable cursor with `awaitData`.
 * Its `next` never waits, but returns an empty batch that is not done. `getMore` does the waiting.
 */
export interface AwaitableSource extends BatchSource {
  /**
   * Calls `wake` whenever there may be more documents or the cursor may have ended. Calls may be spurious but
   * are never missed. The returned function unsubscribes.
   */
  onMore(wake: () => void): () => void;
}

/** Lets `killOp`, `killCursors` and shutdown interrupt work in progress. Set by `kill` in awaiting.ts. */
export interface KillSignal {
  killed: boolean;
  reason?: ErrorCodeName;
  /** Set while the work is waiting. */
  wake?: (() => void) | undefined;
}

/** A cursor that outlives the command that opened it. */
export interface OpenCursor {
  readonly id: bigint;
  readonly ns: Namespace;
  readonly source: BatchSource;
  readonly signal: KillSignal;
  /** Hex id of the session in which it was opened. */
  readonly lsid: string | undefined;
  /** The multi-document transaction in which it was opened. */
  readonly txnNumber: bigint | undefined;
  readonly noTimeout: boolean;
  /** The command that opened it, shown by currentOp. */
  readonly origin: Doc;
  /** The context in which it reads. */
  readonly op: OpContext;
  /** Remaining part of the opening command's `maxTimeMS`. Only time spent reading counts. */
  timeLeftMs: number | undefined;
}

/** A cursor that no command is currently using. */
export interface IdleCursor {
  readonly cursor: OpenCursor;
  /** Epoch milliseconds. */
  readonly openedAt: number;
  readonly lastUse: number;
}

export interface CursorStore {
  /** Throws when too many cursors are open. */
  add(cursor: Omit<OpenCursor, 'id'>): OpenCursor;
  /** Checks out the cursor for one batch. Throws CursorNotFound (43). Return it with `release`. */
  checkOut(id: bigint, ns: Namespace): OpenCursor;
  release(cursor: OpenCursor, finished: boolean): void;
  /** Returns false if there is no such cursor. */
  kill(id: bigint, ns: Namespace): boolean;
  killWhere(predicate: (cursor: OpenCursor) => boolean): number;
  idle(): IdleCursor[];
  /** Maximum idle time of a cursor, milliseconds. */
  idleLimitMs: number;
  readonly openCount: number;
  readonly timedOutCount: number;
}

/** The state of a logical session, identified by its lsid. */
export interface LogicalSession {
  readonly lsid: string;
  txnNumber: bigint;
  state: 'none' | 'inProgress' | 'committed' | 'aborted';
  txn: Transaction | undefined;
  /** When its transaction started, epoch milliseconds. */
  readonly txnStartedAt: number;
  /** Epoch milliseconds. */
  readonly lastUse: number;
}

export interface SessionStore {
  /** Returns the session with this id and resets its idle time. Creates it if needed. */
  touch(lsid: string): LogicalSession;
  find(lsid: string): LogicalSession | undefined;
  /** Aborts the session's transaction, kills its cursors and removes it. */
  end(lsid: string): void;
  /** Aborts the session's transaction and kills its cursors, but keeps the session. */
  kill(lsid: string): void;
  all(): LogicalSession[];
}

/** A running command, as shown by currentOp. */
export interface Operation {
  readonly opid: number;
  readonly command: string;
  readonly kind: OperationKind;
  readonly ns: string;
  readonly body: Doc;
  readonly startedAt: number;
  readonly connection: ConnectionInfo;
  readonly lsid: Value;
  readonly txnNumber: bigint | undefined;
  readonly op: OpContext;
  signal: KillSignal;
  /** For a getMore: the command that opened the cursor. */
  origin: Doc | undefined;
  /** True for a getMore that may wait for documents, whose duration is therefore meaningless. */
  awaitsData: boolean;
}

/** The value of `op` in the profile and in currentOp. */
export type OperationKind = 'insert' | 'query' | 'update' | 'remove' | 'getmore' | 'command';

export interface OperationStore {
  all(): Operation[];
  /** Returns false if no such operation is running. */
  kill(opid: number): boolean;
}

/** The effect of the `failCommand` fail point on one command. */
export interface FailAction {
  closeConnection: boolean;
  blockMs: number;
  error: ServerError | undefined;
  /** The fail point specifies the error labels, so none are added. */
  labelsAreGiven: boolean;
  writeConcernError: Doc | undefined;
}

export interface FailPointStore {
  /** False if no fail point is set. */
  readonly active: boolean;
  /** Returns how often it has been triggered. Throws for an unknown fail point or an invalid mode. */
  configure(name: string, mode: Value, data: Doc): number;
  /** Returns the data of a fail point that applies now, and counts one use. */
  enter(name: string): Doc | undefined;
}

/** Thrown by a command to close the connection instead of replying, as required by a fail point. */
export class HangUp extends Error {}

/** Number of operations of each kind and their total time in microseconds. */
export type NamespaceUse = Readonly<Record<OperationKind, { count: number; micros: number }>>;

export interface UsageStore {
  of(ns: string): NamespaceUse;
  all(): ReadonlyMap<string, NamespaceUse>;
}

/** 0: off, 1: slow operations, 2: all operations. */
export type ProfileLevel = 0 | 1 | 2;

export interface ProfileSettings {
  level: ProfileLevel;
  /** Operations that take at least this many milliseconds are slow. */
  slowMs: number;
  /** The share of slow operations that is recorded, 0 to 1. */
  sampleRate: number;
  /** If set, operations are recorded only if their report matches, regardless of their duration. */
  filter: Doc | undefined;
}

export interface ProfilerStore {
  settings(db: string): ProfileSettings;
  /** `slowMs` and `sampleRate` apply to all databases. `filter: null` removes the filter. */
  configure(
    db: string,
    change: { level?: ProfileLevel; slowMs?: number; sampleRate?: number; filter?: Doc | null },
  ): Promise<void>;
}

/** Parameters that clients can read and set at runtime. */
export interface ParameterStore {
  all(): ReplyDoc;
  /**
   * Returns the previous value. Throws InvalidOptions for an unknown parameter and BadValue for an invalid
   * value.
   */
  set(name: string, value: Value): ReplyValue;
}

export interface ConnectionInfo {
  readonly id: number;
  readonly remoteAddress: string;
  /** The `client` document of the first hello. */
  client: Doc | undefined;
}

export interface ServerMetrics {
  readonly opcounters: Readonly<Record<OpCounter, number>>;
  readonly connections: { current: number; active: number; totalCreated: number };
  readonly network: { bytesIn: number; bytesOut: number; numRequests: number };
  readonly transactions: { started: number; committed: number; aborted: number; open: number };
  readonly documents: { inserted: number; returned: number; updated: number; deleted: number };
}

export type OpCounter = 'insert' | 'query' | 'update' | 'delete' | 'getmore' | 'command';

/** The parts of the server that commands use. */
export interface Host {
  readonly engine: Engine;
  readonly cursors: CursorStore;
  readonly sessions: SessionStore;
  readonly operations: OperationStore;
  readonly failPoints: FailPointStore;
  readonly profiler: ProfilerStore;
  readonly parameters: ParameterStore;
  readonly usage: UsageStore;
  readonly metrics: ServerMetrics;
  /** `host:port` or the path of the unix socket, returned as `me` by hello. */
  readonly address: string;
  readonly startedAt: number;
  /** Epoch milliseconds. */
  now(): number;
  countOps(counter: OpCounter, by: number): void;
  commit(session: LogicalSession, durable: boolean): Promise<void>;
  abort(session: LogicalSession): void;
}

/** The context of a running command. */
export interface CommandContext {
  readonly host: Host;
  readonly engine: Engine;
  readonly name: string;
  readonly db: string;
  readonly body: Doc;
  /** Documents received as raw BSON: from document sequences, or extracted from the body of an insert. */
  readonly raw: ReadonlyMap<string, Uint8Array[]>;
  readonly op: OpContext;
  readonly operation: Operation;
  readonly connection: ConnectionInfo;
  readonly session: LogicalSession | undefined;
  readonly txnNumber: bigint | undefined;
}
