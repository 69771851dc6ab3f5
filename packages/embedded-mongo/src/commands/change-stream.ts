import { ChangeStream, openChangeStream } from '../aggregate/change-stream.js';
import type { Namespace } from '../engine/types.js';
import { isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isCollectionless, pipelineContext } from './aggregate.js';
import type { Args } from './arguments.js';
import type { BatchSource, CommandContext } from './host.js';

/** Error codes after which a driver resumes the stream. */
const resumableCodes: ReadonlySet<number> = new Set([
  6, 7, 63, 89, 91, 133, 134, 150, 175, 189, 234, 249, 262, 317, 358, 384, 402, 9001, 10107, 11600, 11602,
  13388, 13435, 13436,
]);

/** Opens the change stream of an aggregate command. */
export function changeStreamSource(
  ctx: CommandContext,
  args: Args,
  ns: Namespace,
  pipeline: readonly Doc[],
): ChangeStream {
  if (ctx.op.txn) {
    throw new ServerError(
      'OperationNotSupportedInTransaction',
      'Operation not permitted in transaction :: caused by :: Stage not supported inside of a multi-document transaction: $changeStream',
    );
  }
  const { readConcern } = ctx.body;
  const level = isDoc(readConcern) ? readConcern['level'] : undefined;
  if (typeof level === 'string' && level !== 'majority') {
    throw new ServerError(
      'InvalidOptions',
      `Aggregation stage $changeStream cannot run with a readConcern level of '${level}'; only 'majority' is supported`,
    );
  }
  if (ctx.engine.view(ns)) {
    throw new ServerError(
      'CommandNotSupportedOnView',
      `Namespace ${ns.db}.${ns.coll} is a view, not a collection`,
    );
  }
  const context = pipelineContext(ctx, args, ns);
  // The command's time limit does not apply to the cursor, which stays open until it is closed.
  const interruption = { now: context.interruption.now, signal: ctx.op.signal };
  return openChangeStream({ ...context, interruption }, pipeline, isCollectionless(ctx.body));
}

/** Adds the labels that drivers expect to an error from getMore on a change stream. */
export function cursorFailure(source: BatchSource, error: unknown): unknown {
  const resumable =
    source instanceof ChangeStream && error instanceof ServerError && resumableCodes.has(error.code);
  if (!resumable) return error;
  return new ServerError(error.code, error.message, {
    codeName: error.codeName,
    details: error.details,
    errorLabels: [...error.errorLabels, 'ResumableChangeStreamError'],
  });
}
