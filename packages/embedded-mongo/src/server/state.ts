import { kill } from '../commands/awaiting.js';
import type {
  ConnectionInfo,
  Host,
  LogicalSession,
  OpCounter,
  Operation,
  OperationStore,
  ServerMetrics,
} from '../commands/host.js';
import type { Engine } from '../engine/types.js';
import { CursorRegistry } from './cursors.js';
import { ClusterGossip } from './cluster-gossip.js';
import { FailPoints } from './fail-points.js';
import { Parameters } from './parameters.js';
import { Profiler } from './profiler.js';
import { SessionRegistry, type Session } from './sessions.js';
import { SnapshotReads } from './snapshot-reads.js';
import type { ServerLog } from './server-log.js';
import { Usage } from './usage.js';

/** The running commands. */
export class OperationRegistry implements OperationStore {
  private readonly running = new Map<number, Operation>();
  private lastId = 0;

  nextId(): number {
    this.lastId += 1;
    return this.lastId;
  }

  start(operation: Operation): void {
    this.running.set(operation.opid, operation);
  }

  finish(operation: Operation): void {
    this.running.delete(operation.opid);
  }

  all(): Operation[] {
    return [...this.running.values()];
  }

  kill(opid: number): boolean {
    const operation = this.running.get(opid);
    if (operation) kill(operation.signal);
    return operation !== undefined;
  }

  killAll(): void {
    for (const operation of this.running.values()) kill(operation.signal);
  }

  /** Interrupts operations that wait for new documents. */
  killWaiting(): void {
    for (const { signal } of this.running.values()) if (signal.wake) kill(signal, 'InterruptedAtShutdown');
  }

  /** Interrupts the reads of a closed connection. Writes run to completion. */
  killReadsOf(connection: ConnectionInfo): void {
    for (const operation of this.running.values()) {
      if (operation.connection === connection && reads.has(operation.command)) kill(operation.signal);
    }
  }
}

const reads: ReadonlySet<string> = new Set(['find', 'getMore', 'count', 'distinct']);

/** The state of a running server: the engine, cursors, sessions, operations and counters. */
export class ServerState implements Host {
  readonly cursors: CursorRegistry;
  readonly sessions: SessionRegistry;
  readonly operations = new OperationRegistry();
  readonly failPoints = new FailPoints();
  readonly gossip: ClusterGossip;
  readonly snapshots: SnapshotReads;
  readonly profiler: Profiler;
  readonly parameters: Parameters;
  readonly usage = new Usage();
  readonly metrics = {
    opcounters: { insert: 0, query: 0, update: 0, delete: 0, getmore: 0, command: 0 },
    connections: { current: 0, active: 0, totalCreated: 0 },
    network: { bytesIn: 0, bytesOut: 0, numRequests: 0 },
    transactions: { started: 0, committed: 0, aborted: 0, open: 0 },
    documents: { inserted: 0, returned: 0, updated: 0, deleted: 0 },
  } satisfies ServerMetrics;
  readonly startedAt: number;
  address = '';
  closing = false;

  constructor(
    readonly engine: Engine,
    readonly now: () => number,
    readonly log: ServerLog,
  ) {
    this.startedAt = now();
    this.gossip = new ClusterGossip(engine.changes.clock, now);
    this.snapshots = new SnapshotReads(engine);
    this.profiler = new Profiler(engine, log);
    this.cursors = new CursorRegistry(now);
    this.parameters = new Parameters(engine, this.cursors);
    this.sessions = new SessionRegistry({ now, release: (session) => this.release(session) });
  }

  countOps(counter: OpCounter, by: number): void {
    this.metrics.opcounters[counter] += by;
  }

  begin(session: Session, txnNumber: bigint): void {
    session.txn = this.engine.beginTransaction({ lsid: session.lsid, txnNumber });
    session.txnNumber = txnNumber;
    session.state = 'inProgress';
    session.txnStartedAt = this.now();
    this.metrics.transactions.started += 1;
    this.metrics.transactions.open += 1;
  }

  async commit(session: LogicalSession, durable: boolean): Promise<void> {
    const { txn } = session;
    if (!txn) return;
    this.killTransactionCursors(session);
    try {
      await this.engine.commitTransaction(txn, durable);
      this.end(session, 'committed');
    } catch (error) {
      if (txn.state !== 'open') this.end(session, txn.state);
      throw error;
    }
  }

  abort(session: LogicalSession): void {
    const { txn } = session;
    if (!txn) return;
    this.killTransactionCursors(session);
    if (txn.state === 'open') this.engine.abortTransaction(txn);
    this.end(session, 'aborted');
  }

  /** Updates the session if the engine has aborted its transaction because its lifetime has expired. */
  noticeExpiry(session: LogicalSession): void {
    if (session.state === 'inProgress' && session.txn && session.txn.state !== 'open') {
      this.killTransactionCursors(session);
      this.end(session, session.txn.state);
    }
  }

  /** Closes idle cursors and ends idle sessions. */
  sweep(): void {
    this.cursors.sweep();
    this.sessions.sweep();
  }

  private end(session: LogicalSession, state: 'committed' | 'aborted'): void {
    session.txn = undefined;
    session.state = state;
    this.metrics.transactions[state] += 1;
    this.metrics.transactions.open -= 1;
  }

  private release(session: Session): void {
    this.abort(session);
    this.cursors.killWhere((cursor) => cursor.lsid === session.lsid);
  }

  private killTransactionCursors(session: LogicalSession): void {
    if (this.cursors.openCount === 0) return;
    this.cursors.killWhere(
      (cursor) => cursor.lsid === session.lsid && cursor.txnNumber === session.txnNumber,
    );
  }
}
