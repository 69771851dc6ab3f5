import os from 'node:os';
import type { PipelineContext } from '../aggregate/context.js';
import { planPipeline, type Plan, findSpec as pipelineFindSpec } from '../aggregate/pipeline.js';
import type { FindSpec, Namespace, PlanSummary, ScanStats } from '../engine/types.js';
import { isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { aggregateNamespace, isCollectionless, pipelineContext, pipelineOf } from './aggregate.js';
import { Args, namespaceOf, nsText } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import { countSpec } from './count.js';
import { deleteStatement } from './delete.js';
import { distinctSpec } from './distinct.js';
import { findAndModifySpec } from './find-and-modify.js';
import { findSpec } from './find.js';
import { serverVersion } from './handshake.js';
import type { CommandContext } from './host.js';
import type { Reply } from './reply.js';
import { updateStatement } from './update.js';
import { findPipeline, isView } from './view-reads.js';

type Verbosity = 'queryPlanner' | 'executionStats' | 'allPlansExecution';

function accessStage(plan: PlanSummary): ReplyDoc {
  if (plan.stage === 'OR') return { stage: 'FETCH', inputStage: orStage(plan) };
  if (plan.stage === 'IXSCAN') return { stage: 'FETCH', inputStage: indexScan(plan) };
  if (plan.stage === 'IDHACK')
    return {
      stage: 'IDHACK',
      keyPattern: plan.keyPattern ?? { _id: 1 },
      indexName: plan.indexName ?? '_id_',
    };
  if (plan.stage === 'COLLSCAN') return { stage: 'COLLSCAN', direction: plan.direction ?? 'forward' };
  return { stage: 'EOF' };
}

const orStage = (plan: PlanSummary): ReplyDoc => ({
  stage: 'OR',
  inputStages: (plan.inputs ?? []).map((input) =>
    input.stage === 'IXSCAN' ? indexScan(input) : accessStage(input),
  ),
});

const indexScan = (plan: PlanSummary): ReplyDoc => ({
  stage: 'IXSCAN',
  keyPattern: plan.keyPattern,
  indexName: plan.indexName,
  direction: plan.direction ?? 'forward',
  indexBounds: plan.indexBounds,
});

/** The plan's stages from the outside in, as MongoDB nests them. */
function winningPlan(plan: PlanSummary, spec: FindSpec): ReplyDoc {
  let stage = accessStage(plan);
  if (plan.blockingSort && spec.sort)
    stage = { stage: 'SORT', sortPattern: spec.sort, type: 'simple', inputStage: stage };
  if (spec.skip) stage = { stage: 'SKIP', skipAmount: spec.skip, inputStage: stage };
  if (spec.limit) stage = { stage: 'LIMIT', limitAmount: spec.limit, inputStage: stage };
  if (spec.projection)
    stage = { stage: 'PROJECTION_DEFAULT', transformBy: spec.projection, inputStage: stage };
  return stage;
}

interface Explained {
  ns: Namespace;
  spec: FindSpec;
  /** The stage that stands above the query: UPDATE, DELETE, COUNT. */
  above?: string;
  /** What follows the query in a pipeline. */
  stages?: Doc[];
}

function explained(ctx: CommandContext, inner: Doc): Explained {
  const name = Object.keys(inner)[0] ?? '';
  const args = new Args(name, inner);
  switch (name) {
    case 'find':
      return explainedRead(ctx, args, findSpec(inner));
    case 'count':
      return explainedRead(ctx, args, countSpec(args), 'COUNT');
    case 'distinct':
      return explainedRead(ctx, args, distinctSpec(args));
    case 'findAndModify':
    case 'findandmodify': {
      const { filter, sort, remove, hint } = findAndModifySpec(args);
      return {
        ns: namespaceOf(name, ctx.db, inner),
        spec: { filter, limit: 1, ...(sort && { sort }), ...(hint !== undefined && { hint }) },
        above: remove ? 'DELETE' : 'UPDATE',
      };
    }
    case 'update': {
      const { filter, hint, collation } = updateStatement(
        onlyStatement(args, 'updates'),
        args.document('let'),
      );
      return {
        ns: namespaceOf(name, ctx.db, inner),
        spec: querySpec(filter, hint, collation),
        above: 'UPDATE',
      };
    }
    case 'delete': {
      const { filter, hint, collation } = deleteStatement(
        onlyStatement(args, 'deletes'),
        args.document('let'),
      );
      return {
        ns: namespaceOf(name, ctx.db, inner),
        spec: querySpec(filter, hint, collation),
        above: 'DELETE',
      };
    }
    case 'aggregate':
      return explainedPipeline(ctx, inner);
    default:
      throw new ServerError('CommandNotFound', `Explain failed due to unknown command: ${name}`);
  }
}

function explainedRead(ctx: CommandContext, args: Args, spec: FindSpec, above?: string): Explained {
  const ns = namespaceOf(args.command, ctx.db, args.body);
  if (!isView(ctx.engine, ns)) return above === undefined ? { ns, spec } : { ns, spec, above };
  const context = pipelineContext(ctx, args, ns);
  return planned(planPipeline(context, findPipeline(spec), false), context, []);
}

function planned(plan: Plan, context: PipelineContext, stages: Doc[]): Explained {
  const spec = plan.pushed ? pipelineFindSpec(plan.pushed.find, context) : { filter: {} };
  return { ns: plan.ns, spec, stages: plan.pushed?.rest ?? stages };
}

function explainedPipeline(ctx: CommandContext, inner: Doc): Explained {
  const args = new Args('aggregate', inner);
  const ns = aggregateNamespace(ctx.db, inner);
  const context = pipelineContext(ctx, args, ns);
  const pipeline = pipelineOf(args);
  return planned(planPipeline(context, pipeline, isCollectionless(inner)), context, pipeline);
}

function onlyStatement(args: Args, field: string): Doc {
  const [statement, ...more] = args.required(field, args.documents(field));
  if (!statement || more.length > 0) {
    throw new ServerError('FailedToParse', 'explained write batches must be of size 1');
  }
  return statement;
}

const querySpec = (filter: Doc, hint: string | Doc | undefined, collation: Doc | undefined): FindSpec => ({
  filter,
  ...(hint !== undefined && { hint }),
  ...(collation && { collation }),
});

async function executionStats(
  ctx: CommandContext,
  { ns, spec }: Explained,
  plan: ReplyDoc,
): Promise<ReplyDoc> {
  const startedAt = performance.now();
  const cursor = ctx.engine.find(ns, spec, ctx.op);
  let nReturned = 0;
  let stats: ScanStats;
  try {
    for (let done = false; !done;) {
      const batch = await cursor.next(1_000);
      nReturned += batch.docs.length;
      done = batch.done;
    }
    stats = { ...cursor.stats };
  } finally {
    cursor.close();
  }
  const millis = Math.round(performance.now() - startedAt);
  return {
    executionSuccess: true,
    nReturned,
    executionTimeMillis: millis,
    totalKeysExamined: stats.keysExamined,
    totalDocsExamined: stats.docsExamined,
    executionStages: { ...plan, nReturned, executionTimeMillisEstimate: millis },
  };
}

function run(ctx: CommandContext): Promise<Reply> {
  const args = new Args('explain', ctx.body);
  const inner = args.required('explain', args.document('explain'));
  const verbosity = args.string('verbosity') ?? 'allPlansExecution';
  if (!isVerbosity(verbosity)) {
    throw new ServerError(
      'FailedToParse',
      'verbosity string must be one of queryPlanner, executionStats, allPlansExecution',
    );
  }
  return explainCommand(ctx, inner, verbosity);
}

const isVerbosity = (text: string): text is Verbosity =>
  text === 'queryPlanner' || text === 'executionStats' || text === 'allPlansExecution';

/** How `inner`, a whole command document, would be run, or was. */
export async function explainCommand(ctx: CommandContext, inner: Doc, verbosity: Verbosity): Promise<Reply> {
  const target = explained(ctx, inner);
  const access = winningPlan(ctx.engine.explain(target.ns, target.spec, ctx.op), target.spec);
  const plan = target.above === undefined ? access : { stage: target.above, inputStage: access };
  const details: ReplyDoc = {
    queryPlanner: {
      namespace: nsText(target.ns),
      indexFilterSet: false,
      parsedQuery: target.spec.filter,
      winningPlan: plan,
      rejectedPlans: [],
    },
  };
  if (verbosity !== 'queryPlanner') details['executionStats'] = await executionStats(ctx, target, plan);
  const common: ReplyDoc = {
    command: isDoc(inner) ? inner : {},
    serverInfo: { host: os.hostname(), port: 0, version: serverVersion, gitVersion: 'embedded-mongo' },
  };
  if (!target.stages || target.stages.length === 0) return { explainVersion: '1', ...details, ...common };
  return { explainVersion: '1', stages: [{ $cursor: details }, ...target.stages], ...common };
}

export const explainCommands: readonly Command[] = [
  { name: 'explain', fields: ['explain', 'verbosity'], counter: 'command', run },
];
