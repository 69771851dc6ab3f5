import { PipelineCursor } from '../aggregate/stream.js';
import type { PipelineContext } from '../aggregate/context.js';
import { planPipeline } from '../aggregate/pipeline.js';
import type { Namespace } from '../engine/types.js';
import { evaluateExpression } from '../expression/expression.js';
import { isDoc, isNumeric, toNumber, type Doc, type Value } from '../values/bson.js';
import { parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { Args, namespaceOf } from './arguments.js';
import type { Command } from './command.js';
import { firstBatch } from './cursor-commands.js';
import type { CommandContext } from './host.js';
import type { Reply } from './reply.js';

export const aggregateFields: readonly string[] = [
  'aggregate',
  'pipeline',
  'explain',
  'allowDiskUse',
  'cursor',
  'bypassDocumentValidation',
  'hint',
  'collation',
  'let',
  'isMapReduceCommand',
];

/** `{ aggregate: 1 }` is over the database. */
export const isCollectionless = (body: Doc): boolean => {
  const target = body['aggregate'];
  return isNumeric(target) && toNumber(target) === 1;
};

export const aggregateNamespace = (db: string, body: Doc): Namespace =>
  isCollectionless(body) ? { db, coll: '$cmd.aggregate' } : namespaceOf('aggregate', db, body);

export function pipelineOf(args: Args): Doc[] {
  const pipeline = args.required('pipeline', args.array('pipeline'));
  for (const stage of pipeline) {
    if (!isDoc(stage)) {
      throw new ServerError('TypeMismatch', "Each element of the 'pipeline' array must be an object");
    }
  }
  return pipeline as Doc[];
}

/** What the command's pipeline runs under. */
export function pipelineContext(ctx: CommandContext, args: Args, ns: Namespace): PipelineContext {
  const collationSpec = args.document('collation');
  const now = (): number => ctx.host.now();
  const variables: Record<string, Value> = {};
  for (const [name, value] of Object.entries(args.document('let') ?? {})) {
    variables[name] = evaluateExpression(value, {}, {});
  }
  return {
    engine: ctx.engine,
    ns,
    op: ctx.op,
    now,
    variables,
    collationSpec,
    collation: parseCollation(collationSpec),
    hint: args.hint(),
    interruption: { now, deadline: ctx.op.deadline, signal: ctx.op.signal },
    depth: 0,
    inner: false,
  };
}

async function run(ctx: CommandContext): Promise<Reply> {
  const args = new Args('aggregate', ctx.body);
  const ns = aggregateNamespace(ctx.db, ctx.body);
  const pipeline = pipelineOf(args);
  if (args.boolean('explain')) {
    throw new ServerError('FailedToParse', 'use the explain command to explain an aggregation');
  }
  const cursor = args.document('cursor');
  if (!cursor) {
    throw new ServerError(
      'FailedToParse',
      "The 'cursor' option is required, except for aggregate with the explain argument",
    );
  }
  const plan = planPipeline(pipelineContext(ctx, args, ns), pipeline, isCollectionless(ctx.body));
  const source = plan.kind === 'cursor' ? plan.open() : new PipelineCursor(plan.run());
  const writes = ['$out', '$merge'].includes(Object.keys(pipeline.at(-1) ?? {})[0] ?? '');
  const batchSize = writes ? undefined : new Args('aggregate.cursor', cursor).integer('batchSize');
  return firstBatch(ctx, ns, source, { batchSize });
}

export const aggregateCommands: readonly Command[] = [
  { name: 'aggregate', fields: aggregateFields, inTransaction: true, writes: true, counter: 'command', run },
];
