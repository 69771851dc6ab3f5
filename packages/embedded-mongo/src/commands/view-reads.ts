import { planPipeline } from '../aggregate/pipeline.js';
import { PipelineCursor } from '../aggregate/stream.js';
import { wholeNumber } from '../engine/collection-traits.js';
import type { CollectionInfo, Engine, FindSpec, Namespace } from '../engine/types.js';
import { decode, toNumber, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { pipelineContext } from './aggregate.js';
import { nsText, type Args } from './arguments.js';
import type { BatchSource, CommandContext } from './host.js';

/** Whether reads from the namespace run a view's pipeline. */
export const isView = (engine: Engine, ns: Namespace): boolean =>
  engine.hasViews && (engine.view(ns) !== undefined || ns.coll === 'system.views');

export function refuseView(info: CollectionInfo): void {
  if (info.type !== 'view') return;
  throw new ServerError(
    'CommandNotSupportedOnView',
    `Namespace ${nsText(info.ns)} is a view, not a collection`,
  );
}

const notInPipelines = ['min', 'max', 'returnKey', 'showRecordId', 'noCursorTimeout', 'allowPartialResults'];

/** Converts a query to an equivalent pipeline, except for `$natural` order, which is passed as a hint. */
export function findPipeline({ filter, sort, skip, limit, projection }: FindSpec): Doc[] {
  const pipeline: Doc[] = [];
  if (Object.keys(filter).length > 0) pipeline.push({ $match: filter });
  if (sort && !('$natural' in sort)) pipeline.push({ $sort: sort });
  if (skip) pipeline.push({ $skip: wholeNumber(skip) });
  if (limit) pipeline.push({ $limit: wholeNumber(limit) });
  if (projection) pipeline.push({ $project: projection });
  return pipeline;
}

/**
 * Runs a find or distinct on a view. Throws InvalidPipelineOperator (168) for options that only queries
 * support.
 */
export function findThroughView(ctx: CommandContext, args: Args, ns: Namespace, spec: FindSpec): BatchSource {
  if (spec.tailable) {
    throw new ServerError('InvalidPipelineOperator', 'Tailable cursors are not supported in aggregation.');
  }
  for (const option of notInPipelines) {
    const value = args.body[option];
    if (value === undefined || value === false || value === null) continue;
    throw new ServerError('InvalidPipelineOperator', `Option ${option} not supported in aggregation.`);
  }
  const natural = spec.sort && '$natural' in spec.sort ? { $natural: spec.sort['$natural'] } : undefined;
  return pipelineThroughView(ctx, args, ns, findPipeline(spec), natural);
}

export async function countThroughView(
  ctx: CommandContext,
  args: Args,
  ns: Namespace,
  spec: FindSpec,
): Promise<number> {
  const source = pipelineThroughView(ctx, args, ns, [...findPipeline(spec), { $count: 'count' }]);
  try {
    const { docs } = await source.next(1);
    return docs[0] ? toNumber(decode(docs[0])['count']) : 0;
  } finally {
    source.close();
  }
}

function pipelineThroughView(
  ctx: CommandContext,
  args: Args,
  ns: Namespace,
  pipeline: Doc[],
  hint?: Doc,
): BatchSource {
  const context = pipelineContext(ctx, args, ns);
  const plan = planPipeline(hint ? { ...context, hint } : context, pipeline, false);
  return plan.kind === 'cursor' ? plan.open() : new PipelineCursor(plan.run());
}
