import type { Latency, PipelineContext } from '../aggregate/context.js';
import type { Namespace } from '../engine/types.js';
import { isDoc, isNumeric, toNumber, type Doc } from '../values/bson.js';
import { parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { type Args, namespaceOf, nsText } from './arguments.js';
import type { CommandContext, NamespaceUse } from './host.js';
import { serverSources } from './operations.js';
import { variablesOf } from './variables.js';

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
];

/** `{ aggregate: 1 }` runs on the database instead of a collection. */
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

/** The context in which the command's pipeline runs. */
export function pipelineContext(ctx: CommandContext, args: Args, ns: Namespace): PipelineContext {
  const collationSpec = args.document('collation');
  const now = (): number => ctx.host.now();
  const builtin = { NOW: new Date(now()) };
  const variables = variablesOf(args, builtin) ?? builtin;
  return {
    engine: ctx.engine,
    ns,
    op: ctx.op,
    now,
    variables,
    collationSpec,
    collation: parseCollation(collationSpec),
    hint: args.hint(),
    interruption: {
      now,
      // getMore sets a separate deadline for the cursor.
      get deadline() {
        return ctx.op.deadline;
      },
      signal: ctx.op.signal,
    },
    serverSources: serverSources(ctx),
    latency: (of) => latencyOf(ctx.host.usage.of(nsText(of))),
    depth: 0,
    inner: false,
  };
}

function latencyOf({ query, getmore, insert, update, remove, command }: NamespaceUse): {
  reads: Latency;
  writes: Latency;
  commands: Latency;
} {
  const total = (...counters: { count: number; micros: number }[]): Latency => ({
    ops: counters.reduce((sum, { count }) => sum + count, 0),
    latency: Math.round(counters.reduce((sum, { micros }) => sum + micros, 0)),
  });
  return { reads: total(query, getmore), writes: total(insert, update, remove), commands: total(command) };
}
