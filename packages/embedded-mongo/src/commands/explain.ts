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
import { parsedQuery, planStages, type Execution } from './explain-plan.js';
import { findAndModifySpec } from './find-and-modify.js';
import { findSpec } from './find.js';
import { serverVersion } from './handshake.js';
import type { CommandContext } from './host.js';
import type { Reply } from './reply.js';
import { updateStatement } from './update.js';
import { findPipeline, isView } from './view-reads.js';
import { variablesOf } from './variables.js';

type Verbosity = 'queryPlanner' | 'executionStats' | 'allPlansExecution';

interface Explained {
  ns: Namespace;
  spec: FindSpec;
  /** The stage above the query: UPDATE, DELETE or COUNT. */
  above?: string;
  /** Whether the write affects at most one document. */
  single?: boolean;
  /** The pipeline stages after the query. */
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
      const { filter, hint, collation, multi } = updateStatement(
        onlyStatement(args, 'updates'),
        variablesOf(args),
      );
      return {
        ns: namespaceOf(name, ctx.db, inner),
        spec: querySpec(filter, hint, collation),
        above: 'UPDATE',
        single: multi !== true,
      };
    }
    case 'delete': {
      const { filter, hint, collation, limit } = deleteStatement(
        onlyStatement(args, 'deletes'),
        variablesOf(args),
      );
      return {
        ns: namespaceOf(name, ctx.db, inner),
        spec: querySpec(filter, hint, collation),
        above: 'DELETE',
        single: limit === 1,
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

/** Executes the query, but not the stage above it. Explaining a write does not perform it. */
async function execute(ctx: CommandContext, { ns, spec, single }: Explained): Promise<Execution> {
  const startedAt = performance.now();
  const cursor = ctx.engine.find(ns, single ? { ...spec, limit: 1 } : spec, ctx.op);
  try {
    for (let done = false; !done;) ({ done } = await cursor.next(1_000));
    return { stats: { ...cursor.stats }, millis: Math.round(performance.now() - startedAt) };
  } finally {
    cursor.close();
  }
}

function executionStats(target: Explained, plan: PlanSummary, run: Execution, all: boolean): ReplyDoc {
  const { stats, millis } = run;
  const access = planStages(plan, target.spec, run);
  const stages = target.above === undefined ? access : aboveStage(target.above, access, stats);
  return {
    executionSuccess: true,
    nReturned: target.above === undefined ? stats.nReturned : 0,
    executionTimeMillis: millis,
    totalKeysExamined: stats.keysExamined,
    totalDocsExamined: stats.docsExamined,
    executionStages: stages,
    ...(all && { allPlansExecution: [] }),
  };
}

/** A stage that returns no documents, with what it would update or delete, or has counted. */
const aboveStage = (stage: string, inputStage: ReplyDoc, { nReturned }: ScanStats): ReplyDoc => ({
  stage,
  nReturned: 0,
  ...(stage === 'COUNT' && { nCounted: nReturned }),
  ...(stage === 'UPDATE' && { nMatched: nReturned, nWouldModify: nReturned, nWouldUpsert: 0 }),
  ...(stage === 'DELETE' && { nWouldDelete: nReturned }),
  inputStage,
});

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

/** Explains how `inner`, a whole command document, would run or did run. */
export async function explainCommand(ctx: CommandContext, inner: Doc, verbosity: Verbosity): Promise<Reply> {
  const target = explained(ctx, inner);
  const plan = ctx.engine.explain(target.ns, target.spec, ctx.op);
  const access = planStages(plan, target.spec);
  const details: ReplyDoc = {
    queryPlanner: {
      namespace: nsText(target.ns),
      parsedQuery: parsedQuery(target.spec.filter),
      indexFilterSet: false,
      maxIndexedOrSolutionsReached: false,
      maxIndexedAndSolutionsReached: false,
      maxScansToExplodeReached: false,
      winningPlan: target.above === undefined ? access : { stage: target.above, inputStage: access },
      rejectedPlans: [],
    },
  };
  if (verbosity !== 'queryPlanner') {
    const executed = await execute(ctx, target);
    details['executionStats'] = executionStats(target, plan, executed, verbosity === 'allPlansExecution');
  }
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
