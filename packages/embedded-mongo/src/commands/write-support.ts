import type { WriteError } from '../engine/types.js';
import type { Doc } from '../values/bson.js';
import { decode } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { Args } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { CommandContext } from './host.js';

const maxStatements = 100_000;

/**
 * The statements of a write, from a document sequence or from the body. Throws when there are none or too
 * many.
 */
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
 * Inside of a transaction a statement that fails ends the transaction. The client sees it as a write error,
 * except for errors after which it should run the whole transaction again; those are thrown. `index`: the
 * first of the statements that were given to the engine.
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

/** Refuses statements that a retry could not repeat exactly. */
export function checkRetryable(ctx: CommandContext, touchesMany: boolean, what: string): void {
  if (ctx.op.retry && touchesMany) {
    throw new ServerError('InvalidOptions', `Cannot use retryable writes with ${what}`);
  }
}
