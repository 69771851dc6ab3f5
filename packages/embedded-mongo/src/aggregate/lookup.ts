import { BSONRegExp } from 'bson';
import type { Namespace } from '../engine/types.js';
import { isDoc, isNumeric, long, pathKeys, toNumber, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { getPath } from '../values/path.js';
import { bindExpression, constant, type PipelineContext, type StageBuilder } from './context.js';
import { MemoryBudget } from './memory.js';
import { collect, type Batches } from './stream.js';
import { withPath } from './unwind.js';
import { valueKey } from './value-key.js';

/** Runs an inner pipeline on a collection. */
export type RunPipeline = (
  ns: Namespace | undefined,
  pipeline: readonly Doc[],
  context: PipelineContext,
) => Batches;

const parseError = (message: string): ServerError => new ServerError('FailedToParse', message);

function text(spec: Doc, stage: string, field: string): string {
  const value = spec[field];
  if (typeof value !== 'string' || value === '')
    throw parseError(`${stage} argument '${field}' must be a non-empty string`);
  return value;
}

function pipelineOf(stage: string, value: Value): Doc[] {
  if (!Array.isArray(value) || !value.every(isDoc)) {
    throw new ServerError(
      'TypeMismatch',
      `'pipeline' option of ${stage} must be specified as an array of documents`,
    );
  }
  return value;
}

/**
 * The values by which an equality join looks up matches: the values at a path, each element of an array
 * separately, and null if there are none.
 */
function joinValues(doc: Doc, path: string): Value[] {
  const reached = getPath(doc, path).flatMap((value) => (Array.isArray(value) ? value : [value]));
  const values = reached.filter((value) => value !== undefined);
  return values.length > 0 ? values : [null];
}

async function findJoined(
  run: RunPipeline,
  from: Namespace,
  foreignField: string,
  docs: readonly Doc[],
  localField: string,
  context: PipelineContext,
): Promise<Map<string, Doc[]>> {
  const wanted = new Map<string, Value>();
  for (const doc of docs) {
    for (const value of joinValues(doc, localField)) wanted.set(valueKey(value, context.collation), value);
  }
  const byValue = new Map<string, Doc[]>();
  const values = [...wanted.values()];
  // Inside $in a regular expression acts as a pattern. To join on its value, $eq is needed.
  const plain = values.filter((value) => !(value instanceof BSONRegExp));
  const patterns = values.filter((value) => value instanceof BSONRegExp);
  const conditions: Doc[] = patterns.map((value) => ({ [foreignField]: { $eq: value } }));
  if (plain.length > 0)
    conditions.push({ [foreignField]: plain.length === 1 ? { $eq: plain[0] } : { $in: plain } });
  const filter: Doc = conditions.length === 1 ? conditions[0]! : { $or: conditions };
  for await (const batch of run(from, [{ $match: filter }], context)) {
    for (const doc of batch) {
      const keys = new Set(joinKeys(doc, foreignField, context));
      for (const key of keys) {
        if (!wanted.has(key)) continue;
        const known = byValue.get(key);
        if (known) known.push(doc);
        else byValue.set(key, [doc]);
      }
    }
  }
  return byValue;
}

function joinKeys(doc: Doc, path: string, context: PipelineContext): string[] {
  const keys: string[] = [];
  for (const value of getPath(doc, path)) {
    keys.push(valueKey(value ?? null, context.collation));
    if (Array.isArray(value)) for (const item of value) keys.push(valueKey(item ?? null, context.collation));
  }
  return keys.length > 0 ? keys : [valueKey(null, context.collation)];
}

function joined(doc: Doc, localField: string, byValue: Map<string, Doc[]>, context: PipelineContext): Doc[] {
  const values = joinValues(doc, localField);
  if (values.length === 1) return byValue.get(valueKey(values[0], context.collation)) ?? [];
  const found = new Set<Doc>();
  for (const value of values)
    for (const match of byValue.get(valueKey(value, context.collation)) ?? []) found.add(match);
  return [...found];
}

interface LookupSpec {
  from: Namespace | undefined;
  as: string[];
  localField: string | undefined;
  foreignField: string | undefined;
  let: readonly (readonly [string, (doc: Doc) => Value])[];
  pipeline: Doc[] | undefined;
}

function parseLookup(spec: Value, context: PipelineContext): LookupSpec {
  if (!isDoc(spec)) throw parseError('the $lookup specification must be an Object');
  const hasPipeline = spec['pipeline'] !== undefined;
  const hasFields = spec['localField'] !== undefined || spec['foreignField'] !== undefined;
  if (!hasPipeline && !hasFields)
    throw parseError(
      "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified",
    );
  const variables = spec['let'] ?? {};
  if (!isDoc(variables)) throw parseError("$lookup argument 'let' must be an object");
  return {
    from:
      spec['from'] === undefined && hasPipeline
        ? undefined
        : { db: context.ns.db, coll: text(spec, '$lookup', 'from') },
    as: pathKeys(text(spec, '$lookup', 'as')),
    localField: hasFields ? text(spec, '$lookup', 'localField') : undefined,
    foreignField: hasFields ? text(spec, '$lookup', 'foreignField') : undefined,
    let: Object.entries(variables).map(([name, value]) => [name, bindExpression(value, context)] as const),
    pipeline: hasPipeline ? pipelineOf('$lookup', spec['pipeline']) : undefined,
  };
}

/**
 * `$lookup`: runs one query per batch for the equality form, and one pipeline per document for the pipeline
 * form.
 */
export const lookupBuilder =
  (run: RunPipeline): StageBuilder =>
  (raw, context) => {
    const spec = parseLookup(raw, context);
    const { from, localField, foreignField, pipeline } = spec;
    const inner: PipelineContext = { ...context, depth: context.depth + 1, inner: true };
    let shared: Promise<Doc[]> | undefined;
    const runFor = async (doc: Doc, filter: Doc | undefined): Promise<Doc[]> => {
      const variables = { ...context.variables };
      for (const [name, value] of spec.let) variables[name] = value(doc);
      const stages = filter ? [{ $match: filter }, ...pipeline!] : pipeline!;
      return collect(run(from, stages, { ...inner, variables }));
    };
    const independent = spec.let.length === 0 && localField === undefined;
    return async function* (input) {
      for await (const batch of input) {
        const out: Doc[] = [];
        if (!pipeline) {
          const byValue = await findJoined(run, from!, foreignField!, batch, localField!, inner);
          for (const doc of batch) out.push(withPath(doc, spec.as, joined(doc, localField!, byValue, inner)));
        } else {
          for (const doc of batch) {
            const filter =
              localField === undefined ? undefined : joinFilter(foreignField!, joinValues(doc, localField));
            const found = independent ? await (shared ??= runFor(doc, undefined)) : await runFor(doc, filter);
            out.push(withPath(doc, spec.as, found));
          }
        }
        yield out;
      }
    };
  };

const joinFilter = (field: string, values: readonly Value[]): Doc => ({
  $or: values.map((value) => ({ [field]: { $eq: value } })),
});

export const unionWithBuilder =
  (run: RunPipeline): StageBuilder =>
  (raw, context) => {
    const spec: Doc = typeof raw === 'string' ? { coll: raw } : isDoc(raw) ? raw : {};
    const pipeline = spec['pipeline'] === undefined ? [] : pipelineOf('$unionWith', spec['pipeline']);
    const from =
      spec['coll'] === undefined ? undefined : { db: context.ns.db, coll: text(spec, '$unionWith', 'coll') };
    if (!from && pipeline.length === 0) throw parseError('$unionWith needs a collection or a pipeline');
    return async function* (input) {
      yield* input;
      yield* run(from, pipeline, { ...context, depth: context.depth + 1, inner: true });
    };
  };

interface GraphSpec {
  from: Namespace;
  as: string[];
  connectFrom: string;
  connectTo: string;
  maxDepth: number;
  depthField: string | undefined;
  restrict: Doc | undefined;
}

function parseGraph(spec: Doc, context: PipelineContext): GraphSpec {
  const { maxDepth, depthField, restrictSearchWithMatch } = spec;
  if (maxDepth !== undefined && (!isNumeric(maxDepth) || toNumber(maxDepth) < 0)) {
    throw new ServerError(40101, 'maxDepth requires a nonnegative argument');
  }
  return {
    from: { db: context.ns.db, coll: text(spec, '$graphLookup', 'from') },
    as: text(spec, '$graphLookup', 'as').split('.'),
    connectFrom: text(spec, '$graphLookup', 'connectFromField'),
    connectTo: text(spec, '$graphLookup', 'connectToField'),
    maxDepth: maxDepth === undefined ? Infinity : toNumber(maxDepth),
    depthField: typeof depthField === 'string' ? depthField : undefined,
    restrict: isDoc(restrictSearchWithMatch) ? restrictSearchWithMatch : undefined,
  };
}

async function walkGraph(
  run: RunPipeline,
  start: Value[],
  spec: GraphSpec,
  context: PipelineContext,
  budget: MemoryBudget,
): Promise<Doc[]> {
  const found = new Map<string, Doc>();
  const visited = new Set<string>();
  let frontier = start;
  for (let depth = 0; frontier.length > 0 && depth <= spec.maxDepth; depth++) {
    const values = frontier.filter((value) => {
      const key = valueKey(value, context.collation);
      return !visited.has(key) && visited.add(key);
    });
    if (values.length === 0) break;
    const reach: Doc = { [spec.connectTo]: { $in: values } };
    const filter: Doc = spec.restrict ? { $and: [reach, spec.restrict] } : reach;
    frontier = [];
    for await (const batch of run(spec.from, [{ $match: filter }], context)) {
      for (const doc of batch) {
        const key = valueKey(doc['_id']);
        if (found.has(key)) continue;
        budget.addValue(doc);
        found.set(
          key,
          spec.depthField === undefined ? doc : withPath(doc, spec.depthField.split('.'), long(depth)),
        );
        frontier.push(...joinValues(doc, spec.connectFrom).filter((value) => value !== null));
      }
    }
  }
  return [...found.values()];
}

export const graphLookupBuilder =
  (run: RunPipeline): StageBuilder =>
  (raw, context) => {
    if (!isDoc(raw)) throw new ServerError(40327, 'the $graphLookup stage specification must be an object');
    const spec = parseGraph(raw, context);
    const start = bindExpression(raw['startWith'], context);
    const inner: PipelineContext = { ...context, depth: context.depth + 1, inner: true };
    return async function* (input) {
      for await (const batch of input) {
        const out: Doc[] = [];
        for (const doc of batch) {
          const value = start(doc);
          const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
          const reached = await walkGraph(run, values, spec, inner, new MemoryBudget('$graphLookup'));
          out.push(withPath(doc, spec.as, reached));
        }
        yield out;
      }
    };
  };

/** `$documents`: the literal documents that form the pipeline's input. */
export function documentsOf(spec: Value, context: PipelineContext): Doc[] {
  const value = constant(spec, context);
  if (!Array.isArray(value) || !value.every(isDoc)) {
    throw new ServerError(5858203, "an array of documents is expected by the '$documents' stage");
  }
  return value;
}
