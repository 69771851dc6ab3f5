import type { WriteError } from '../engine/types.js';
import type { Doc } from '../values/bson.js';
import { decode } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { Args } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { CommandContext } from './host.js';

const maxStatements = 100_000;

/** The statements of a write, from a document sequence or the body. Throws if there are none or too many. */
export function statements(ctx: CommandContext, args: Args, field: string): Doc[] {
  const raw = ctx.raw.get(field);
  const found = raw ? raw.map((bytes) => decode(bytes)) : args.required(field, args.documents(field));
  checkBatchSize(found.length);
  return found;
}

export function checkBatchSize(count: number): void {
  if (count < 1 || count > maxStatements) {
    throw new ServerError(
      'InvalidLength',
      `Write batch sizes must be between 1 and ${maxStatements}. Got ${count} operations.`,
    );
  }
}

export const writeErrorDocs = (errors: readonly WriteError[]): ReplyDoc[] =>
  errors.map(({ index, code, keyPattern, keyValue, errInfo, errmsg }) => ({
    index,
    code,
    keyPattern,
    keyValue,
    errInfo,
    errmsg,
  }));

/**
 * Handles a failed statement in a transaction: aborts the transaction and returns the error as a write error.
 * Errors after which the client should retry the whole transaction are thrown instead. `index`: position of
 * the first statement that was passed to the engine.
 */
export function asTransactionWriteError(ctx: CommandContext, error: unknown, index: number): WriteError {
  const transient = error instanceof ServerError && error.errorLabels.length > 0;
  if (!(error instanceof ServerError) || !ctx.op.txn || !ctx.session || transient) throw error;
  ctx.host.abort(ctx.session);
  const { index: at, ...details } = error.details ?? {};
  return {
    index: index + (typeof at === 'number' ? at : 0),
    code: error.code,
    errmsg: error.message,
    ...(details as Partial<WriteError>),
  };
}

/** Rejects statements that cannot be retried exactly. */
export function checkRetryable(ctx: CommandContext, touchesMany: boolean, what: string): void {
  if (ctx.op.retry && touchesMany) {
    throw new ServerError('InvalidOptions', `Cannot use retryable writes with ${what}`);
  }
}
