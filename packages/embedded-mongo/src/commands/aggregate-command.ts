import { isChangeStream } from '../aggregate/change-stream.js';
import { planPipeline } from '../aggregate/pipeline.js';
import { PipelineCursor } from '../aggregate/stream.js';
import type { Namespace } from '../engine/types.js';
import { isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import {
  aggregateFields,
  aggregateNamespace,
  isCollectionless,
  pipelineContext,
  pipelineOf,
} from './aggregate.js';
import { Args, nsText } from './arguments.js';
import { changeStreamSource, cursorFailure } from './change-stream.js';
import type { Command } from './command.js';
import { firstBatch } from './cursor-commands.js';
import { explainCommand } from './explain.js';
import type { CommandContext } from './host.js';
import type { Reply } from './reply.js';

async function run(ctx: CommandContext): Promise<Reply> {
  const args = new Args('aggregate', ctx.body);
  const ns = aggregateNamespace(ctx.db, ctx.body);
  const pipeline = pipelineOf(args);
  if (args.boolean('explain')) return explainCommand(ctx, ctx.body, 'queryPlanner');
  const cursor = args.document('cursor');
  if (!cursor) {
    throw new ServerError(
      'FailedToParse',
      "The 'cursor' option is required, except for aggregate with the explain argument",
    );
  }
  if (isChangeStream(pipeline)) return watch(ctx, args, ns, pipeline, cursor);
  const last = Object.keys(pipeline.at(-1) ?? {})[0] ?? '';
  const writes = last === '$out' || last === '$merge';
  const { readConcern } = ctx.body;
  if (writes && isDoc(readConcern) && ['linearizable', 'snapshot'].includes(String(readConcern['level']))) {
    throw new ServerError(
      'InvalidOptions',
      `${last} cannot be used with a '${String(readConcern['level'])}' read concern level`,
    );
  }
  const plan = planPipeline(pipelineContext(ctx, args, ns), pipeline, isCollectionless(ctx.body));
  const source = plan.kind === 'cursor' ? plan.open() : new PipelineCursor(plan.run());
  const batchSize = writes ? undefined : new Args('aggregate.cursor', cursor).integer('batchSize');
  return firstBatch(ctx, ns, source, {
    batchSize,
    context: `Executor error during aggregate command on namespace: ${nsText(ns)}`,
  });
}

/** The first batch contains the events that a resumed stream missed. It does not wait for new ones. */
async function watch(
  ctx: CommandContext,
  args: Args,
  ns: Namespace,
  pipeline: Doc[],
  cursor: Doc,
): Promise<Reply> {
  const batchSize = new Args('aggregate.cursor', cursor).integer('batchSize');
  const source = changeStreamSource(ctx, args, ns, pipeline);
  try {
    return await firstBatch(ctx, ns, source, { batchSize });
  } catch (error) {
    throw cursorFailure(source, error);
  }
}

export const aggregateCommands: readonly Command[] = [
  {
    name: 'aggregate',
    fields: aggregateFields,
    inTransaction: true,
    snapshotReads: true,
    writes: true,
    counter: 'command',
    run,
  },
];
