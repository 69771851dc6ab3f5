import type { EngineCursor, FindSpec, Namespace } from '../engine/types.js';
import { isDoc, newDoc, typeName, type Doc, type Value } from '../values/bson.js';
import { parseCollation } from '../values/compare.js';
import { ServerError, unsupported, withContext } from '../values/errors.js';
import type { PipelineContext, StageBuilder } from './context.js';
import { bucket, bucketAuto, facetStage, group, sortByCount } from './group.js';
import { readerFor } from './dependencies.js';
import {
  documentsOf,
  graphLookupBuilder,
  lookupBuilder,
  unionWithBuilder,
  type RunPipeline,
} from './lookup.js';
import { merge, out } from './output.js';
import { addFields, project, unset } from './project.js';
import { countShape, pushDown, type CountShape, type Pushdown } from './pushdown.js';
import {
  count,
  countValue,
  limit,
  limitOf,
  match,
  redact,
  replaceRoot,
  replaceWith,
  sample,
  skip,
  sort,
  sortStage,
} from './stages-basic.js';
import { sourceStage } from './sources.js';
import { batched, decoded, type Batches, type Stage } from './stream.js';
import { unwind } from './unwind.js';
import { checkViewCollation, resolveView, type ResolvedView } from './views.js';

const maxDepth = 20;

/** Stages of MongoDB that this store does not support. */
const refused: ReadonlySet<string> = new Set([
  '$search',
  '$searchMeta',
  '$vectorSearch',
  '$rankFusion',
  '$planCacheStats',
  '$listSessions',
  '$geoNear',
  '$setWindowFields',
  '$densify',
  '$fill',
]);

/** Stages that read from a source other than a collection and must come first. */
const firstOnly: ReadonlySet<string> = new Set([
  '$changeStream',
  '$collStats',
  '$indexStats',
  '$documents',
  '$currentOp',
  '$listLocalSessions',
]);

/** Whether a stage of that name exists, including stages that this server does not support. */
export const isStageName = (name: string): boolean =>
  Object.hasOwn(builders, name) || refused.has(name) || firstOnly.has(name);

const runPipeline: RunPipeline = (ns, pipeline, context) =>
  buildPipeline(ns ? { ...context, ns } : context, pipeline, ns === undefined);

const facet: StageBuilder = (spec, context) => {
  if (!isDoc(spec) || Object.keys(spec).length === 0) {
    throw new ServerError(40169, 'the $facet specification must be a non-empty object');
  }
  const inner: PipelineContext = { ...context, depth: context.depth + 1, inner: true };
  const facets = Object.entries(spec).map(([name, pipeline]) => {
    if (!Array.isArray(pipeline) || !pipeline.every(isDoc)) {
      throw new ServerError(
        40170,
        `arguments to $facet must be arrays, ${name} is type ${typeName(pipeline)}`,
      );
    }
    for (const stage of pipeline) {
      const operator = Object.keys(stage)[0] ?? '';
      if (
        ['$facet', '$out', '$merge', '$collStats', '$indexStats', '$documents', '$changeStream'].includes(
          operator,
        )
      ) {
        throw new ServerError(40600, `${operator} is not allowed to be used within a $facet stage`);
      }
    }
    return [name, chain(buildStages(pipeline, inner))] as const;
  });
  return facetStage(facets);
};

const builders: Readonly<Record<string, StageBuilder>> = {
  $match: match,
  $limit: limit,
  $skip: skip,
  $count: count,
  $sort: sort,
  $sample: sample,
  $project: project,
  $addFields: addFields,
  $set: addFields,
  $unset: unset,
  $replaceRoot: replaceRoot,
  $replaceWith: replaceWith,
  $redact: redact,
  $group: group,
  $sortByCount: sortByCount,
  $bucket: bucket,
  $bucketAuto: bucketAuto,
  $facet: facet,
  $unwind: unwind,
  $lookup: lookupBuilder(runPipeline),
  $graphLookup: graphLookupBuilder(runPipeline),
  $unionWith: unionWithBuilder(runPipeline),
  $out: out,
  $merge: merge,
};

/** The name of a stage, its only operator. */
export function stageName(stage: Doc): string {
  const names = Object.keys(stage);
  if (names.length !== 1) {
    throw new ServerError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  return names[0]!;
}

export function buildStages(pipeline: readonly Doc[], context: PipelineContext): Stage[] {
  const stages: Stage[] = [];
  for (let at = 0; at < pipeline.length; at++) {
    const stage = pipeline[at]!;
    const name = stageName(stage);
    checkPlace(name, at === pipeline.length - 1, context);
    const next = pipeline[at + 1];
    const sorted: Value = stage['$sort'];
    if (isDoc(sorted) && Object.keys(sorted).length > 0 && next?.['$limit'] !== undefined) {
      stages.push(sortStage(sorted, context, limitOf(next['$limit'])));
    } else {
      stages.push(buildStage(name, stage[name], context));
    }
  }
  return stages;
}

/** Stages whose name is prepended to the message of a specification error. */
const named: ReadonlySet<string> = new Set(['$project', '$addFields', '$set', '$unset']);

function buildStage(name: string, spec: Value, context: PipelineContext): Stage {
  const builder = builderOf(name);
  if (!named.has(name)) return builder(spec, context);
  try {
    return builder(spec, context);
  } catch (error) {
    throw withContext(error, `Invalid ${name}`);
  }
}

function builderOf(name: string): StageBuilder {
  const builder = Object.hasOwn(builders, name) ? builders[name] : undefined;
  if (builder) return builder;
  if (refused.has(name)) throw unsupported(name);
  if (name === '$changeStreamSplitLargeEvent') {
    throw new ServerError('IllegalOperation', `${name} can only be used in a $changeStream pipeline`);
  }
  if (firstOnly.has(name)) {
    throw new ServerError(40602, `${name} is only valid as the first stage in a pipeline`);
  }
  throw new ServerError(40324, `Unrecognized pipeline stage name: '${name}'`);
}

function checkPlace(name: string, last: boolean, context: PipelineContext): void {
  if (name !== '$out' && name !== '$merge') return;
  if (!last) throw new ServerError(40601, `${name} can only be the final stage in the pipeline`);
  if (context.inner) throw new ServerError(51047, `${name} is not allowed within an inner pipeline`);
}

const chain =
  (stages: readonly Stage[]): Stage =>
  (input) =>
    stages.reduce((batches, stage) => stage(batches), input);

/** Commands that support change streams handle `$changeStream` before this point. */
const misplacedStream = ({ inner }: PipelineContext): ServerError =>
  inner
    ? new ServerError(51047, '$changeStream is not allowed within an inner pipeline')
    : new ServerError('CommandNotSupported', 'a change stream is not supported by this command');

/** A pipeline that is ready to run. */
export type Plan =
  | { kind: 'cursor'; ns: Namespace; pushed: Pushdown; open: () => EngineCursor }
  | { kind: 'batches'; ns: Namespace; pushed: Pushdown | undefined; stages: string[]; run: () => Batches };

/**
 * Validates the whole pipeline and decides which part of it the engine executes. A pipeline on a view is
 * rewritten to one on the underlying collection. `collectionless`: the command runs on a database instead of
 * a collection.
 */
export function planPipeline(
  context: PipelineContext,
  pipeline: readonly Doc[],
  collectionless: boolean,
): Plan {
  if (context.depth > maxDepth)
    throw new ServerError(5107700, `pipelines may nest ${maxDepth} levels deep at most`);
  const view = collectionless ? undefined : resolveView(context.engine, context.ns);
  if (view) return planView(context, view, pipeline);
  const { ns } = context;
  const names = pipeline.map(stageName);
  if (names[0] === '$changeStream') throw misplacedStream(context);
  const source = sourceStage(names[0], pipeline[0], context);
  if (source || names[0] === '$documents') {
    const docs =
      source ??
      (async function* () {
        yield* batched(documentsOf(pipeline[0]!['$documents'], context));
      })();
    const rest = chain(buildStages(pipeline.slice(1), context));
    return { kind: 'batches', ns, pushed: undefined, stages: names, run: () => rest(docs) };
  }
  if (collectionless) {
    if (names[0] !== undefined) builderOf(names[0]);
    throw new ServerError(
      'InvalidNamespace',
      `{aggregate: 1} is not valid for '${names[0] ?? ''}'; a collection is required.`,
    );
  }
  const pushed = pushDown(pipeline);
  const shape = countShape(pushed.rest);
  if (shape)
    return { kind: 'batches', ns, pushed, stages: names, run: () => counted(context, pushed, shape) };
  const stages = chain(buildStages(pushed.rest, context));
  const open = (): EngineCursor =>
    context.engine.find(context.ns, findSpec(pushed.find, context), context.op);
  if (pushed.rest.length === 0 && !pushed.empty) return { kind: 'cursor', ns, pushed, open };
  const run = (): Batches =>
    stages(pushed.empty ? batched([]) : decoded(open(), context.interruption, readerFor(pushed.rest[0])));
  return { kind: 'batches', ns, pushed, stages: pushed.rest.map(stageName), run };
}

/**
 * `$lookup` and similar stages use the collation of the enclosing pipeline, whereas a command uses that of
 * its view.
 */
function planView(context: PipelineContext, view: ResolvedView, pipeline: readonly Doc[]): Plan {
  const first = pipeline[0] ? stageName(pipeline[0]) : undefined;
  if (first === '$collStats' || first === '$indexStats') {
    const { db, coll } = context.ns;
    throw new ServerError('CommandNotSupportedOnView', `Namespace ${db}.${coll} is a view, not a collection`);
  }
  let resolved: PipelineContext = { ...context, ns: view.ns };
  if (!context.inner) {
    checkViewCollation(context.collationSpec, view);
    resolved = { ...resolved, collationSpec: view.collation, collation: parseCollation(view.collation) };
  }
  return planPipeline(resolved, [...view.pipeline, ...pipeline], view.collectionless);
}

function buildPipeline(context: PipelineContext, pipeline: readonly Doc[], collectionless: boolean): Batches {
  const plan = planPipeline(context, pipeline, collectionless);
  return plan.kind === 'cursor' ? decoded(plan.open(), context.interruption) : plan.run();
}

/** Adds the pipeline's collation, hint and variables to the query of its leading stages. */
export function findSpec(find: FindSpec, context: PipelineContext): FindSpec {
  return {
    ...find,
    ...(context.collationSpec && { collation: context.collationSpec }),
    ...(context.hint !== undefined && !context.inner && { hint: context.hint }),
    ...(Object.keys(context.variables).length > 0 && { let: context.variables }),
  };
}

async function* counted(
  context: PipelineContext,
  pushed: Pushdown,
  shape: CountShape,
): AsyncGenerator<Doc[]> {
  const { sort: _sort, projection: _projection, ...find } = findSpec(pushed.find, context);
  const total = pushed.empty ? 0 : await context.engine.count(context.ns, find, context.op);
  if (total === 0) return;
  const doc = newDoc();
  if (shape.withId) doc['_id'] = shape.id;
  doc[shape.field] = countValue(total);
  yield [doc];
}
