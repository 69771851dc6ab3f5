import type { Engine, Namespace, OpContext, Transaction } from '../engine/types.js';
import type { Doc, Value } from '../values/bson.js';
import type { ErrorCodeName, ServerError } from '../values/errors.js';
import type { ReplyDoc, ReplyValue } from './bson-writer.js';

/** What a cursor draws its batches from: an engine cursor or a pipeline. */
export interface BatchSource {
  next(maxDocs: number, maxBytes?: number): Promise<Batch>;
  close(): void;
  /** More fields of the reply's `cursor`, such as `postBatchResumeToken`; called after each batch. */
  replyFields?(): ReplyDoc;
}

/** `done`: no more will come. An empty batch that is not done leaves the cursor open. */
export interface Batch {
  docs: Uint8Array[];
  done: boolean;
}

/**
 * A cursor that may get more documents later: a change stream, a tailable cursor with `awaitData`. Its `next`
 * never waits: it returns an empty batch that is not done. `getMore` does the waiting.
 */
export interface AwaitableSource extends BatchSource {
  /**
   * From now on calls `wake` whenever there may be more, or the end of the cursor; needlessly at times, never
   * too seldom. The returned function ends that.
   */
  onMore(wake: () => void): () => void;
}

/** Lets `killOp`, `killCursors` and shutdown stop work that is under way; set by `kill` of awaiting.ts. */
export interface KillSignal {
  killed: boolean;
  reason?: ErrorCodeName;
  /** Set while the work waits. */
  wake?: (() => void) | undefined;
}

/** A cursor that outlives the command which opened it. */
export interface OpenCursor {
  readonly id: bigint;
  readonly ns: Namespace;
  readonly source: BatchSource;
  readonly signal: KillSignal;
  /** Hex id of the session it was opened in. */
  readonly lsid: string | undefined;
  /** The multi-document transaction it was opened in. */
  readonly txnNumber: bigint | undefined;
  readonly noTimeout: boolean;
  /** The command that opened it, for currentOp. */
  readonly origin: Doc;
  /** What it reads under. */
  readonly op: OpContext;
  /** What is left of the `maxTimeMS` of the command that opened it; only the time in use counts. */
  timeLeftMs: number | undefined;
}

/** A cursor that no command uses at the moment. */
export interface IdleCursor {
  readonly cursor: OpenCursor;
  /** Epoch milliseconds. */
  readonly openedAt: number;
  readonly lastUse: number;
}

export interface CursorStore {
  /** Throws when too many cursors are open. */
  add(cursor: Omit<OpenCursor, 'id'>): OpenCursor;
  /** Takes the cursor for one batch; throws CursorNotFound (43). Give it back with `release`. */
  checkOut(id: bigint, ns: Namespace): OpenCursor;
  release(cursor: OpenCursor, finished: boolean): void;
  /** False when there is no such cursor. */
  kill(id: bigint, ns: Namespace): boolean;
  killWhere(predicate: (cursor: OpenCursor) => boolean): number;
  idle(): IdleCursor[];
  /** How long a cursor may be idle, milliseconds. */
  idleLimitMs: number;
  readonly openCount: number;
  readonly timedOutCount: number;
}

/** The state of one logical session, by its lsid. */
export interface LogicalSession {
  readonly lsid: string;
  txnNumber: bigint;
  state: 'none' | 'inProgress' | 'committed' | 'aborted';
  txn: Transaction | undefined;
  /** When its transaction began, epoch milliseconds. */
  readonly txnStartedAt: number;
  /** Epoch milliseconds. */
  readonly lastUse: number;
}

export interface SessionStore {
  /** The session with this id, created when it is new; its idle time starts again. */
  touch(lsid: string): LogicalSession;
  find(lsid: string): LogicalSession | undefined;
  /** Aborts the session's transaction, kills its cursors and forgets it. */
  end(lsid: string): void;
  /** Kills what the session has open but keeps it. */
  kill(lsid: string): void;
  all(): LogicalSession[];
}

/** A running command, as currentOp shows it. */
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
  /** Of a getMore: the command that opened the cursor. */
  origin: Doc | undefined;
  /** A getMore that may wait for documents to come: its time says nothing. */
  awaitsData: boolean;
}

/** What the profile and currentOp call `op`. */
export type OperationKind = 'insert' | 'query' | 'update' | 'remove' | 'getmore' | 'command';

export interface OperationStore {
  all(): Operation[];
  /** False when no such operation runs. */
  kill(opid: number): boolean;
}

/** What the `failCommand` fail point does to one command. */
export interface FailAction {
  closeConnection: boolean;
  blockMs: number;
  error: ServerError | undefined;
  /** The fail point says which labels the error bears: none is to be added. */
  labelsAreGiven: boolean;
  writeConcernError: Doc | undefined;
}

export interface FailPointStore {
  /** False when no fail point is set. */
  readonly active: boolean;
  /** Returns how often it has acted so far. Throws on an unknown fail point or a bad mode. */
  configure(name: string, mode: Value, data: Doc): number;
  /** The data of a fail point that acts now; counts as one use. */
  enter(name: string): Doc | undefined;
}

/** Thrown by a command to hang up instead of answering, as a fail point demands. */
export class HangUp extends Error {}

/** How often and how long, in microseconds, each kind of operation ran. */
export type NamespaceUse = Readonly<Record<OperationKind, { count: number; micros: number }>>;

export interface UsageStore {
  of(ns: string): NamespaceUse;
  all(): ReadonlyMap<string, NamespaceUse>;
}

/** 0: off, 1: slow operations, 2: all. */
export type ProfileLevel = 0 | 1 | 2;

export interface ProfileSettings {
  level: ProfileLevel;
  /** Operations of at least this many milliseconds are slow. */
  slowMs: number;
  /** Which share of the slow ones is kept, 0 to 1. */
  sampleRate: number;
  /** When set, an operation is kept when its report matches, and only then. */
  filter: Doc | undefined;
}

export interface ProfilerStore {
  settings(db: string): ProfileSettings;
  /** `slowMs` and `sampleRate` are for all databases; `filter: null` takes the filter away. */
  configure(
    db: string,
    change: { level?: ProfileLevel; slowMs?: number; sampleRate?: number; filter?: Doc | null },
  ): Promise<void>;
}

/** What clients may read and set while the server runs. */
export interface ParameterStore {
  all(): ReplyDoc;
  /** The value before. Throws InvalidOptions for an unknown one, BadValue for a value that it cannot have. */
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

/** What the commands use of the server around them. */
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
  /** `host:port`, or the path of the unix socket; hello's `me`. */
  readonly address: string;
  readonly startedAt: number;
  /** Epoch milliseconds. */
  now(): number;
  countOps(counter: OpCounter, by: number): void;
  commit(session: LogicalSession, durable: boolean): Promise<void>;
  abort(session: LogicalSession): void;
}

/** One command as it runs. */
export interface CommandContext {
  readonly host: Host;
  readonly engine: Engine;
  readonly name: string;
  readonly db: string;
  readonly body: Doc;
  /** Documents that came as raw BSON: from document sequences, or cut out of an insert's body. */
  readonly raw: ReadonlyMap<string, Uint8Array[]>;
  readonly op: OpContext;
  readonly operation: Operation;
  readonly connection: ConnectionInfo;
  readonly session: LogicalSession | undefined;
  readonly txnNumber: bigint | undefined;
}
