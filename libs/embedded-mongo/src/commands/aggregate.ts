import type { PipelineContext } from '../aggregate/context.js';
import type { Namespace } from '../engine/types.js';
import { evaluateExpression } from '../expression/expression.js';
import { isDoc, isNumeric, toNumber, type Doc, type Value } from '../values/bson.js';
import { parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { type Args, namespaceOf } from './arguments.js';
import type { CommandContext } from './host.js';

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
  const variables: Record<string, Value> = { NOW: new Date(now()) };
  for (const [name, value] of Object.entries(args.document('let') ?? {})) {
    variables[name] = evaluateExpression(value, {}, variables);
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
