import type { Timestamp } from 'bson';
import { toBigInt } from '../commands/arguments.js';
import { BsonWriter, type ReplyDoc } from '../commands/bson-writer.js';
import type { Command } from '../commands/command.js';
import {
  HangUp,
  type CommandContext,
  type ConnectionInfo,
  type FailAction,
  type Operation,
  type OperationKind,
} from '../commands/host.js';
import { findCommand } from '../commands/registry.js';
import { CursorReply, type Reply } from '../commands/reply.js';
import { isDoc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { OpContext } from '../engine/types.js';
import { compareTimes, timeText } from './cluster-gossip.js';
import { readCommand, type CommandBody } from './command-body.js';
import { countDocuments } from './document-metrics.js';
import { labelsFor } from './error-labels.js';
import { frameReply, replyPrefixBytes, type WireRequest } from './framing.js';
import { reportOf } from './operation-report.js';
import { profileCollection } from './profiler.js';
import { checkShape, readOptions, type RequestOptions } from './request-options.js';
import type { Session } from './sessions.js';
import type { ServerState } from './state.js';
import { enterTransaction } from './transactions.js';

/**
 * A framed reply. `moreToCome`: run the request again and send its next reply after this one, as a response
 * to `id`.
 */
export interface FramedReply {
  message: Buffer;
  id: number;
  moreToCome: boolean;
}

/** The result of a request for the connection: a reply to send, or 'close' if a fail point requires it. */
export type Outcome = FramedReply | 'close';

/** Identifies one of several replies to a request. */
export interface ReplyPosition {
  responseTo: number;
  /** The request is repeated until it fails, regardless of its replies. */
  streams: boolean;
}

interface Call extends CommandBody {
  command: Command;
  options: RequestOptions;
  connection: ConnectionInfo;
  /** Set when the command starts. */
  operation?: Operation;
  /** A fail point requires closing the connection when the command is done. */
  hangUp?: boolean;
}

const noOptions: RequestOptions = {
  lsid: undefined,
  txnNumber: undefined,
  inTransaction: false,
  startTransaction: false,
  durable: true,
  unsatisfiableWriteConcern: false,
  maxTimeMs: undefined,
  afterClusterTime: undefined,
  snapshot: undefined,
};

/** Maximum number of snapshots that the first statement of a transaction tries. */
const maxSnapshots = 10;

/**
 * Handles requests: finds the command, performs the common checks, sets up the session, and frames the reply.
 */
export class Dispatcher {
  constructor(private readonly state: ServerState) {}

  async handle(
    request: WireRequest,
    connection: ConnectionInfo,
    position: ReplyPosition = { responseTo: request.requestId, streams: false },
  ): Promise<Outcome> {
    const { metrics } = this.state;
    const began = performance.now();
    metrics.network.bytesIn += request.size;
    metrics.network.numRequests += 1;
    let reply: Reply = {};
    let error: ServerError | undefined;
    let action: FailAction | undefined;
    let call: Call | undefined;
    let name = '';
    let options = noOptions;
    try {
      const body = readCommand(request);
      ({ name } = body);
      const command = findCommand(name);
      options = readOptions(command, body.body);
      call = { ...body, command, options, connection };
      // The options determine the labels of the error.
      if (this.state.closing)
        throw new ServerError(91, 'The server is in quiesce mode and will shut down', {
          codeName: 'ShutdownInProgress',
        });
      if (this.state.failPoints.active) {
        action = this.failCommand(call);
        if (action) await applyFailAction(action);
      }
      this.checkTimes(call);
      checkShape(command, name, body.db, body.body);
      reply = await this.run(call);
      countDocuments(metrics.documents, command.name, reply);
      if (call.hangUp) return 'close';
    } catch (thrown) {
      if (thrown instanceof HangUp || call?.hangUp) return 'close';
      error = thrown instanceof ServerError ? thrown : this.unexpected(thrown, name);
    }
    const failure =
      error && this.failure(error, name, options, error === action?.error && action.labelsAreGiven);
    const message = this.write(request, reply, failure, action?.writeConcernError, options);
    this.report(call, reply, error, message.length, performance.now() - began);
    metrics.network.bytesOut += message.length;
    const moreToCome = request.exhaustAllowed && !failure && (position.streams || isOpenCursor(reply));
    return {
      message,
      id: frameReply(message, request.kind, { responseTo: position.responseTo, moreToCome }),
      moreToCome,
    };
  }

  /** Kills the cursor of a streaming getMore whose client has disconnected. */
  abandon(request: WireRequest): void {
    const id = toBigInt(readCommand(request).body['getMore']);
    if (id !== undefined) this.state.cursors.killWhere((cursor) => cursor.id === id);
  }

  private failCommand(call: Call): FailAction | undefined {
    const { command, options, connection, body } = call;
    return this.state.failPoints.take({
      command,
      ns: namespaceText(call),
      client: connection.client ?? (isDoc(body['client']) ? body['client'] : undefined),
      retryable: isEnding(command.name) || (options.txnNumber !== undefined && !options.inTransaction),
    });
  }

  /** Advances the clock to the client's time, and rejects reads after that time. */
  private checkTimes({ body, options: { afterClusterTime } }: Call): void {
    const { gossip } = this.state;
    if (body['$clusterTime'] !== undefined) gossip.receive(body['$clusterTime']);
    if (afterClusterTime && compareTimes(afterClusterTime, gossip.latest) > 0) {
      throw new ServerError(
        'InvalidOptions',
        `readConcern afterClusterTime value must not be greater than the current clusterTime. Requested clusterTime: { ts: ${timeText(afterClusterTime)} }; current clusterTime: { ts: ${timeText(gossip.latest)} }`,
      );
    }
  }

  /** Counts the operation, and reports it to the profiler if it is slow or profiling is on. */
  private report(
    call: Call | undefined,
    reply: Reply,
    error: ServerError | undefined,
    responseLength: number,
    millis: number,
  ): void {
    const { profiler, usage } = this.state;
    const operation = call?.operation;
    if (operation) usage.add(operation.ns, operation.kind, millis);
    if (!profiler.active && millis < profiler.slowMs) return;
    if (!operation || operation.awaitsData) return;
    const endedAt = this.state.now();
    profiler.note(call.db, millis, () =>
      reportOf({ operation, raw: call.raw, reply, error, responseLength, millis, endedAt }),
    );
  }

  private async run(call: Call): Promise<Reply> {
    const { options, command } = call;
    if (command.counter) this.state.countOps(command.counter, 1);
    const session = options.lsid === undefined ? undefined : this.state.sessions.touch(options.lsid);
    if (options.snapshot) return this.runOnSnapshot(call, session, options.snapshot.at);
    if (!session || options.txnNumber === undefined) return this.execute(call, session, {});
    const release = await session.checkOut();
    try {
      const op = enterTransaction(this.state, session, command, call.name, options);
      if (options.startTransaction && op.txn) return await this.executeFirst(call, session, op);
      return await this.execute(call, session, op);
    } finally {
      release();
    }
  }

  /**
   * Executes the first statement of a transaction. If its snapshot lacks a collection or an index that was
   * just being committed, it is retried on a newer snapshot. This is safe because the transaction has not
   * read or written anything yet.
   */
  private async executeFirst(call: Call, session: Session, first: OpContext): Promise<Reply> {
    const { engine } = this.state;
    for (let op = first, attempt = 1; ; attempt++) {
      try {
        return await this.execute(call, session, op);
      } catch (error) {
        const stale = error instanceof ServerError && error.codeName === 'SnapshotUnavailable';
        if (!stale || attempt === maxSnapshots) throw error;
        await engine.flushed();
        this.state.begin(session, session.txnNumber);
        op = session.txn ? { txn: session.txn } : {};
      }
    }
  }

  private async runOnSnapshot(
    call: Call,
    session: Session | undefined,
    wanted: Timestamp | undefined,
  ): Promise<Reply> {
    const { at, txn } = this.state.snapshots.at(wanted);
    const reply = await this.execute(call, session, { txn });
    if (reply instanceof CursorReply) reply.atClusterTime = at;
    else reply['atClusterTime'] = at;
    return reply;
  }

  private async execute(call: Call, session: Session | undefined, op: OpContext): Promise<Reply> {
    const { options, connection, body, name, db, raw } = call;
    const startedAt = this.state.now();
    const signal = { killed: false };
    const operation: Operation = {
      opid: this.state.operations.nextId(),
      command: name,
      kind: kinds[call.command.name] ?? 'command',
      ns: namespaceText(call),
      body,
      startedAt,
      connection,
      lsid: body['lsid'],
      txnNumber: options.txnNumber,
      op,
      signal,
      origin: undefined,
      awaitsData: false,
    };
    call.operation = operation;
    this.state.operations.start(operation);
    op.durable = options.durable;
    op.signal = signal;
    if (options.maxTimeMs !== undefined) op.deadline = startedAt + options.maxTimeMs;
    if (body['bypassDocumentValidation'] === true) op.bypassDocumentValidation = true;
    const ctx: CommandContext = {
      host: this.state,
      engine: this.state.engine,
      name,
      db,
      body,
      raw,
      op,
      operation,
      connection,
      session,
      txnNumber: options.txnNumber,
    };
    try {
      if (this.state.failPoints.active) this.armFailPoints(call, op);
      if (operation.ns.endsWith(profileSuffix)) await this.state.profiler.flush();
      return await call.command.run(ctx);
    } catch (error) {
      if (op.txn && session && !isEnding(name)) this.state.abort(session);
      throw error;
    } finally {
      this.state.operations.finish(operation);
    }
  }

  /** Applies fail points that act while a command runs. */
  private armFailPoints(call: Call, op: OpContext): void {
    const { failPoints } = this.state;
    if (op.deadline !== undefined && failPoints.enter('maxTimeAlwaysTimeOut')) {
      throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
    }
    if (!op.retry) return;
    op.beforeStatement = () => {
      const data = failPoints.enter('onPrimaryTransactionalWrite');
      if (!data) return;
      if (data['closeConnection'] !== false) call.hangUp = true;
      const code = toBigInt(data['failBeforeCommitExceptionCode']);
      if (code !== undefined) {
        throw new ServerError(
          Number(code),
          'Failing write due to the onPrimaryTransactionalWrite fail point',
        );
      }
    };
  }

  private failure(known: ServerError, name: string, options: RequestOptions, asGiven: boolean): ReplyDoc {
    const labels = asGiven
      ? known.errorLabels
      : labelsFor(known, {
          inTransaction: options.inTransaction,
          retryableWrite: options.txnNumber !== undefined && !options.inTransaction,
          ending: isEnding(name),
        });
    return {
      errorLabels: labels.length > 0 ? labels : undefined,
      ok: 0,
      errmsg: known.message,
      code: known.code,
      codeName: known.codeName,
      ...known.details,
    };
  }

  private unexpected(error: unknown, name: string): ServerError {
    const message = error instanceof Error ? error.message : String(error);
    this.state.log('error', `command ${name} failed unexpectedly: ${message}`, {
      stack: error instanceof Error ? error.stack : undefined,
    });
    return new ServerError('InternalError', message);
  }

  private write(
    request: WireRequest,
    reply: Reply,
    failure: ReplyDoc | undefined,
    writeConcernError: ReplyDoc | undefined,
    options: RequestOptions,
  ): Buffer {
    const writer = new BsonWriter(
      replyPrefixBytes(request.kind),
      reply instanceof CursorReply ? reply.size : 0,
    );
    writer.begin();
    const concern = writeConcernError ?? (options.unsatisfiableWriteConcern ? unsatisfiable : undefined);
    if (failure) {
      writer.fields(failure);
    } else {
      if (reply instanceof CursorReply) reply.write(writer);
      else writer.fields(reply);
      writer.double('ok', 1);
    }
    if (concern) this.writeConcernError(writer, concern, failure !== undefined);
    const time = this.state.engine.changes.clock.time;
    writer.raw('$clusterTime', this.state.gossip.signed(time));
    writer.timestamp('operationTime', time.t, time.i);
    writer.end();
    return writer.finish();
  }

  /** Adds a write concern error. The labels of a command that failed take precedence. */
  private writeConcernError(writer: BsonWriter, concern: ReplyDoc, failed: boolean): void {
    const { errorLabels, ...rest } = concern;
    writer.value('writeConcernError', rest);
    if (errorLabels !== undefined && !failed) writer.value('errorLabels', errorLabels);
  }
}

/** Waits, closes the connection or fails, as specified by the fail point. */
async function applyFailAction({ blockMs, closeConnection, error }: FailAction): Promise<void> {
  if (blockMs > 0) await new Promise((resolve) => setTimeout(resolve, blockMs));
  if (closeConnection) throw new HangUp();
  if (error) throw error;
}

const kinds: Readonly<Record<string, OperationKind>> = {
  insert: 'insert',
  find: 'query',
  update: 'update',
  delete: 'remove',
  getMore: 'getmore',
};

const profileSuffix = `.${profileCollection}`;

/** The collection that a command addresses, or the database's `$cmd`. */
function namespaceText({ name, db, body }: CommandBody): string {
  const target = name === 'getMore' ? body['collection'] : body[name];
  return typeof target === 'string' ? `${db}.${target}` : `${db}.$cmd`;
}

const unsatisfiable: ReplyDoc = {
  code: 100,
  codeName: 'UnsatisfiableWriteConcern',
  errmsg: 'Not enough data-bearing nodes',
};

/**
 * Whether the reply is a getMore batch that may be followed by more. Only these are streamed to clients that
 * allow it.
 */
const isOpenCursor = (reply: Reply): boolean =>
  reply instanceof CursorReply && reply.field === 'nextBatch' && reply.id !== 0n;

const isEnding = (name: string): boolean => name === 'commitTransaction' || name === 'abortTransaction';
