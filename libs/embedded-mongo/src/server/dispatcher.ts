import { toBigInt } from '../commands/arguments.js';
import { BsonWriter, type ReplyDoc } from '../commands/bson-writer.js';
import type { Command } from '../commands/command.js';
import type { CommandContext, ConnectionInfo, FailAction, Operation } from '../commands/host.js';
import { findCommand } from '../commands/registry.js';
import { CursorReply, type Reply } from '../commands/reply.js';
import { ServerError } from '../values/errors.js';
import type { OpContext } from '../engine/types.js';
import { readCommand, type CommandBody } from './command-body.js';
import { labelsFor } from './error-labels.js';
import { frameReply, replyPrefixBytes, type WireRequest } from './framing.js';
import { checkShape, readOptions, type RequestOptions } from './request-options.js';
import type { Session } from './sessions.js';
import type { ServerState } from './state.js';
import { enterTransaction } from './transactions.js';

/** An answer; `moreToCome`: the request is to be run again and its answer sent after this one, in response to `id`. */
export interface Answer {
  message: Buffer;
  id: number;
  moreToCome: boolean;
}

/** What the connection does with a request: send an answer, or hang up as a fail point demands. */
export type Outcome = Answer | 'close';

/** Which of the answers to one request is wanted. */
export interface Turn {
  responseTo: number;
  /** The request is answered again and again, whatever it is answered with, until it fails. */
  streams: boolean;
}

interface Call extends CommandBody {
  command: Command;
  options: RequestOptions;
  connection: ConnectionInfo;
}

const noOptions: RequestOptions = {
  lsid: undefined,
  txnNumber: undefined,
  inTransaction: false,
  startTransaction: false,
  durable: true,
  unsatisfiableWriteConcern: false,
  maxTimeMs: undefined,
};

/** Runs requests: finds the command, checks what is common to all, sets the session up, and frames the answer. */
export class Dispatcher {
  constructor(private readonly state: ServerState) {}

  async handle(
    request: WireRequest,
    connection: ConnectionInfo,
    turn: Turn = { responseTo: request.requestId, streams: false },
  ): Promise<Outcome> {
    const { metrics } = this.state;
    metrics.network.bytesIn += request.size;
    metrics.network.numRequests += 1;
    let reply: Reply;
    let failure: ReplyDoc | undefined;
    let action: FailAction | undefined;
    let body: CommandBody | undefined;
    let options = noOptions;
    try {
      body = readCommand(request);
      const command = findCommand(body.name);
      if (!command) throw new ServerError('CommandNotFound', `no such command: '${body.name}'`);
      options = readOptions(command, body.body);
      // The options decide which labels the failure bears.
      if (this.state.closing)
        throw new ServerError(91, 'The server is in quiesce mode and will shut down', {
          codeName: 'ShutdownInProgress',
        });
      const retryableWrite = options.txnNumber !== undefined && !options.inTransaction;
      action = this.state.failPoints.take(body.name, connection, retryableWrite);
      if (action) {
        if (action.blockMs > 0) await new Promise((resolve) => setTimeout(resolve, action!.blockMs));
        if (action.closeConnection) return 'close';
        if (action.error) throw action.error;
      }
      checkShape(command, body.name, body.db, body.body);
      reply = await this.run({ ...body, command, options, connection });
    } catch (error) {
      reply = {};
      failure = this.failure(error, body?.name ?? '', options, action?.error !== undefined);
    }
    const message = this.write(request, reply, failure, action?.writeConcernError, options);
    metrics.network.bytesOut += message.length;
    const moreToCome = request.exhaustAllowed && !failure && (turn.streams || isOpenCursor(reply));
    return {
      message,
      id: frameReply(message, request.kind, { responseTo: turn.responseTo, moreToCome }),
      moreToCome,
    };
  }

  /** Ends the cursor that `request`, a getMore, streamed to a client that is gone. */
  abandon(request: WireRequest): void {
    const id = toBigInt(readCommand(request).body['getMore']);
    if (id !== undefined) this.state.cursors.killWhere((cursor) => cursor.id === id);
  }

  private async run(call: Call): Promise<Reply> {
    const { options, command } = call;
    if (command.counter) this.state.countOps(command.counter, 1);
    const session = options.lsid === undefined ? undefined : this.state.sessions.touch(options.lsid);
    if (!session || options.txnNumber === undefined) return this.execute(call, session, {});
    const release = await session.checkOut();
    try {
      const op = enterTransaction(this.state, session, command, call.name, options);
      return await this.execute(call, session, op);
    } finally {
      release();
    }
  }

  private async execute(call: Call, session: Session | undefined, op: OpContext): Promise<Reply> {
    const { options, connection, body, name, db, raw } = call;
    const startedAt = this.state.now();
    const signal = { killed: false };
    const target = body[name];
    const operation: Operation = this.state.operations.start({
      command: name,
      ns: typeof target === 'string' ? `${db}.${target}` : `${db}.$cmd`,
      body,
      startedAt,
      connection,
      lsid: body['lsid'],
      signal,
    });
    op.durable = options.durable;
    op.signal = signal;
    if (this.state.javascript) op.javascript = this.state.javascript;
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
      return await call.command.run(ctx);
    } catch (error) {
      if (op.txn && session && !isEnding(name)) this.state.abort(session);
      throw error;
    } finally {
      this.state.operations.finish(operation);
    }
  }

  private failure(error: unknown, name: string, options: RequestOptions, asGiven: boolean): ReplyDoc {
    const known = error instanceof ServerError ? error : this.unexpected(error, name);
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
    if (failure) {
      writer.fields(failure);
    } else {
      if (reply instanceof CursorReply) reply.write(writer);
      else writer.fields(reply);
      writer.double('ok', 1);
      const concern = writeConcernError ?? (options.unsatisfiableWriteConcern ? unsatisfiable : undefined);
      if (concern) this.writeConcernError(writer, concern);
    }
    const { t, i } = this.state.engine.changes.clock.time;
    writer.timestamp('operationTime', t, i);
    writer.end();
    return writer.finish();
  }

  private writeConcernError(writer: BsonWriter, concern: ReplyDoc): void {
    const { errorLabels, ...rest } = concern;
    writer.value('writeConcernError', rest);
    if (errorLabels !== undefined) writer.value('errorLabels', errorLabels);
  }
}

const unsatisfiable: ReplyDoc = {
  code: 100,
  codeName: 'UnsatisfiableWriteConcern',
  errmsg: 'Not enough data-bearing nodes',
};

/** A getMore's batch after which there may be more: only these are streamed to a client that allows it. */
const isOpenCursor = (reply: Reply): boolean =>
  reply instanceof CursorReply && reply.field === 'nextBatch' && reply.id !== 0n;

const isEnding = (name: string): boolean => name === 'commitTransaction' || name === 'abortTransaction';
