import type { Namespace } from '../engine/types.js';
import { toNumber } from '../values/bson.js';
import { ServerError, withContext } from '../values/errors.js';
import { isAwaitable, nextAwaited } from './awaiting.js';
import { Args, checkNamespace, nsText, toBigInt } from './arguments.js';
import { cursorFailure } from './change-stream.js';
import type { Command } from './command.js';
import { HangUp, type Batch, type BatchSource, type CommandContext, type OpenCursor } from './host.js';
import { CursorReply } from './reply.js';

/** Maximum batch size, bytes of documents. */
export const maxBatchBytes = 16 * 1024 * 1024;
const defaultFirstBatch = 101;
/** How long a getMore waits for documents unless maxTimeMS is given. */
const defaultAwaitMs = 1_000;

export interface CursorOptions {
  batchSize: number | undefined;
  singleBatch?: boolean;
  noTimeout?: boolean;
  /** The command's time limit applies only to the first batch. */
  tailable?: boolean;
  /** Prefix of error messages while documents are read. */
  context?: string;
}

/** Replies with the first batch and keeps the cursor open if there may be more. */
export async function firstBatch(
  ctx: CommandContext,
  ns: Namespace,
  source: BatchSource,
  options: CursorOptions,
): Promise<CursorReply> {
  const batchSize = options.batchSize ?? defaultFirstBatch;
  let batch: Batch;
  try {
    batch = batchSize === 0 ? { docs: [], done: false } : await source.next(batchSize, maxBatchBytes);
  } catch (error) {
    source.close();
    throw options.context === undefined ? error : withContext(error, options.context);
  }
  if (batch.done || options.singleBatch) {
    source.close();
    return new CursorReply(nsText(ns), 0n, 'firstBatch', batch.docs, {}, source.replyFields?.());
  }
  if (options.tailable) delete ctx.op.deadline;
  const cursor = ctx.host.cursors.add({
    ns,
    source,
    signal: ctx.operation.signal,
    lsid: ctx.session?.lsid,
    txnNumber: ctx.op.txn ? ctx.txnNumber : undefined,
    noTimeout: options.noTimeout ?? false,
    origin: ctx.body,
    op: ctx.op,
    timeLeftMs: ctx.op.deadline === undefined ? undefined : ctx.op.deadline - ctx.host.now(),
  });
  return new CursorReply(nsText(ns), cursor.id, 'firstBatch', batch.docs, {}, source.replyFields?.());
}

/** Throws unless the cursor was opened in the same session and transaction. */
function checkOwner(ctx: CommandContext, cursor: OpenCursor): void {
  const lsid = ctx.session?.lsid;
  if (cursor.lsid !== lsid) {
    if (cursor.lsid === undefined) {
      throw new ServerError(
        50736,
        `Cannot run getMore on cursor ${cursor.id}, which was not created in a session`,
      );
    }
    const where = lsid === undefined ? 'without an lsid' : 'in another session';
    throw new ServerError(
      lsid === undefined ? 50737 : 50738,
      `Cannot run getMore on cursor ${cursor.id}, which was created in session ${cursor.lsid}, ${where}`,
    );
  }
  const txnNumber = ctx.op.txn ? ctx.txnNumber : undefined;
  if (cursor.txnNumber !== txnNumber) {
    throw new ServerError(
      cursor.txnNumber === undefined ? 50739 : txnNumber === undefined ? 50740 : 50741,
      `Cannot run getMore on cursor ${cursor.id}, which belongs to ${
        cursor.txnNumber === undefined ? 'no transaction' : `transaction ${cursor.txnNumber}`
      }`,
    );
  }
}

const getMore: Command = {
  name: 'getMore',
  fields: ['getMore', 'collection', 'batchSize', 'term', 'lastKnownCommittedOpTime'],
  inTransaction: true,
  counter: 'getmore',
  async run(ctx) {
    const args = new Args('getMore', ctx.body);
    const id = toBigInt(ctx.body['getMore']);
    if (id === undefined) {
      throw new ServerError('TypeMismatch', `Field 'getMore' must be of type long in: { getMore: … }`);
    }
    const ns = checkCursorNamespace(ctx.db, args.required('collection', args.string('collection')));
    const batchSize = args.integer('batchSize') ?? 0;
    const cursor = ctx.host.cursors.checkOut(id, ns);
    let finished = false;
    try {
      checkOwner(ctx, cursor);
      const waitMs = awaitTime(ctx, cursor.source);
      ctx.operation.signal = cursor.signal;
      ctx.operation.origin = cursor.origin;
      ctx.operation.awaitsData = isAwaitable(cursor.source);
      finished = true;
      failAfterCheckout(ctx, cursor);
      const maxDocs = batchSize === 0 ? Number.MAX_SAFE_INTEGER : batchSize;
      const batch = await drawBatch(ctx, cursor, maxDocs, waitMs);
      finished = batch.done;
      const fields = cursor.source.replyFields?.();
      return new CursorReply(nsText(ns), batch.done ? 0n : cursor.id, 'nextBatch', batch.docs, {}, fields);
    } catch (error) {
      throw cursorFailure(cursor.source, error);
    } finally {
      ctx.host.cursors.release(cursor, finished);
    }
  },
};

/** How long the getMore may wait, milliseconds. Throws if maxTimeMS is set on a cursor that cannot wait. */
function awaitTime(ctx: CommandContext, source: BatchSource): number {
  const given = ctx.body['maxTimeMS'];
  if (!isAwaitable(source)) {
    if (given === undefined) return 0;
    throw new ServerError('BadValue', 'cannot set maxTimeMS on getMore command for a non-awaitData cursor');
  }
  // As in every command, zero means no limit.
  return (given === undefined ? 0 : toNumber(given)) || defaultAwaitMs;
}

function nextBatch({ source, signal }: OpenCursor, maxDocs: number, waitMs: number): Promise<Batch> {
  return isAwaitable(source)
    ? nextAwaited(source, signal, { maxDocs, maxBytes: maxBatchBytes, waitMs })
    : source.next(maxDocs, maxBatchBytes);
}

/**
 * Reads a batch in the context in which the cursor was opened and within its remaining time. What the cursor
 * examines is reported as part of the getMore.
 */
async function drawBatch(
  ctx: CommandContext,
  cursor: OpenCursor,
  maxDocs: number,
  waitMs: number,
): Promise<Batch> {
  const { op } = cursor;
  const { host } = ctx;
  if (cursor.timeLeftMs !== undefined) op.deadline = host.now() + cursor.timeLeftMs;
  delete op.examined;
  try {
    return await nextBatch(cursor, maxDocs, waitMs);
  } finally {
    if (op.examined) ctx.op.examined = op.examined;
    if (op.deadline !== undefined) cursor.timeLeftMs = op.deadline - host.now();
  }
}

function failAfterCheckout({ host: { failPoints } }: CommandContext, cursor: OpenCursor): void {
  if (!failPoints.active) return;
  if (cursor.timeLeftMs !== undefined && failPoints.enter('maxTimeAlwaysTimeOut')) {
    throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
  }
  const data = failPoints.enter('failGetMoreAfterCursorCheckout');
  if (!data) return;
  if (data['closeConnection'] === true) throw new HangUp();
  const code = toBigInt(data['errorCode']);
  if (code !== undefined) {
    throw new ServerError(Number(code), "Failing command via 'failGetMoreAfterCursorCheckout' failpoint");
  }
}

/** Cursors of commands on a whole database have names such as `$cmd.aggregate`. */
function checkCursorNamespace(db: string, coll: string): Namespace {
  return coll.startsWith('$cmd.') ? { db, coll } : checkNamespace({ db, coll });
}

const killCursors: Command = {
  name: 'killCursors',
  fields: ['killCursors', 'cursors'],
  inTransaction: true,
  counter: 'command',
  run(ctx) {
    const args = new Args('killCursors', ctx.body);
    const ns = checkCursorNamespace(ctx.db, args.required('killCursors', args.string('killCursors')));
    const ids = args.required('cursors', args.array('cursors')).map((value) => {
      const id = toBigInt(value);
      if (id === undefined) throw new ServerError('TypeMismatch', 'cursor ids must be of type long');
      return id;
    });
    const cursorsKilled: bigint[] = [];
    const cursorsNotFound: bigint[] = [];
    for (const id of ids) (ctx.host.cursors.kill(id, ns) ? cursorsKilled : cursorsNotFound).push(id);
    return { cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [] };
  },
};

export const cursorCommands: readonly Command[] = [getMore, killCursors];
