import { isDoc, isNumeric, newDoc, toNumber, typeName, type Doc, type Value } from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import type { Accumulator, AccumulatorFactory } from './accumulator.js';
import { compileAccumulator } from './accumulators.js';
import { granularityOf, type Granularity } from './granularity.js';
import { bindExpression, constant, type PipelineContext, type StageBuilder } from './context.js';
import { approximateBytes, MemoryBudget } from './memory.js';
import { Pacer, batched, blocking, collect, type Batches, type Stage } from './stream.js';
import { valueKey } from './value-key.js';

type Fields = readonly (readonly [string, AccumulatorFactory])[];

function accumulatorFields(spec: Doc, context: PipelineContext): Fields {
  return Object.entries(spec)
    .filter(([field]) => field !== '_id')
    .map(([field, value]) => {
      if (field.includes('.')) throw new ServerError(40235, `The field name '${field}' cannot contain '.'`);
      if (field.startsWith('$'))
        throw new ServerError(40236, `The field name '${field}' cannot be an operator name`);
      return [field, compileAccumulator(field, value, context)] as const;
    });
}

interface Group {
  id: Value;
  accumulators: Accumulator[];
}

/** The groups of a pipeline's documents, in the order of their first document. */
class Grouping {
  private readonly groups = new Map<string, Group>();

  constructor(
    private readonly fields: Fields,
    private readonly budget: MemoryBudget,
    private readonly context: PipelineContext,
  ) {}

  add(id: Value, doc: Doc): void {
    const key = valueKey(id, this.context.collation);
    let group = this.groups.get(key);
    if (!group) {
      this.budget.add(100 + key.length + approximateBytes(id));
      group = { id, accumulators: this.fields.map(([, make]) => make(this.budget)) };
      this.groups.set(key, group);
    }
    for (const accumulator of group.accumulators) accumulator.add(doc);
  }

  docs(): Doc[] {
    return [...this.groups.values()].map(({ id, accumulators }) => this.doc(id, accumulators));
  }

  doc(id: Value, accumulators: readonly Accumulator[]): Doc {
    const doc = newDoc();
    doc['_id'] = id;
    this.fields.forEach(([field], index) => {
      const value = accumulators[index]!.result();
      if (value !== undefined) doc[field] = value;
    });
    return doc;
  }
}

export const group: StageBuilder = (spec, context) => {
  if (!isDoc(spec)) throw new ServerError(15947, "a group's fields must be specified in an object");
  if (!('_id' in spec)) throw new ServerError(15955, 'a group specification must include an _id');
  const id = bindExpression(spec['_id'], context);
  const fields = accumulatorFields(spec, context);
  return blocking(async (input) => {
    const grouping = new Grouping(fields, new MemoryBudget('$group'), context);
    for await (const batch of input) for (const doc of batch) grouping.add(id(doc) ?? null, doc);
    return grouping.docs();
  });
};

export const sortByCount: StageBuilder = (spec, context) => {
  const grouped = group({ _id: spec, count: { $sum: 1 } }, context);
  return blocking(async (input) => {
    const docs = await collect(grouped(input));
    return docs.sort((a, b) => compareValues(b['count'], a['count']));
  });
};

const defaultOutput: Doc = { count: { $sum: 1 } };

const outputOf = (spec: Doc): Doc => {
  const { output } = spec;
  if (output === undefined) return defaultOutput;
  if (!isDoc(output)) throw new ServerError(40196, "The 'output' field must be an object");
  return output;
};

export const bucket: StageBuilder = (spec, context) => {
  if (!isDoc(spec))
    throw new ServerError(
      40201,
      `Argument to $bucket stage must be an object, but found type: ${typeName(spec)}`,
    );
  const groupBy = bindExpression(spec['groupBy'], context);
  const given = spec['boundaries'];
  if (!Array.isArray(given) || given.length < 2) {
    throw new ServerError(40192, "The $bucket 'boundaries' field must have at least 2 values");
  }
  const boundaries = given.map((value) => constant(value, context));
  boundaries.forEach((value, index) => {
    if (index > 0 && compareValues(boundaries[index - 1], value) >= 0) {
      throw new ServerError(40194, "The 'boundaries' option to $bucket must be sorted");
    }
  });
  const hasDefault = spec['default'] !== undefined;
  const fallback = hasDefault ? constant(spec['default'], context) : undefined;
  const fields = accumulatorFields(outputOf(spec), context);
  const bucketOf = (doc: Doc): Value => {
    const value = groupBy(doc) ?? null;
    for (let i = boundaries.length - 2; i >= 0; i--) {
      if (compareValues(value, boundaries[i], context.collation) < 0) continue;
      if (compareValues(value, boundaries[i + 1], context.collation) < 0) return boundaries[i];
      break;
    }
    if (!hasDefault) {
      throw new ServerError(
        40066,
        '$switch could not find a matching branch for an input, and no default was specified.',
      );
    }
    return fallback;
  };
  return blocking(async (input) => {
    const grouping = new Grouping(fields, new MemoryBudget('$bucket'), context);
    for await (const batch of input) for (const doc of batch) grouping.add(bucketOf(doc), doc);
    return grouping.docs().sort((a, b) => compareValues(a['_id'], b['_id']));
  });
};

export const bucketAuto: StageBuilder = (spec, context) => {
  if (!isDoc(spec)) throw new ServerError(40240, '$bucketAuto takes an object');
  const groupBy = bindExpression(spec['groupBy'], context);
  const wanted = isNumeric(spec['buckets']) ? toNumber(spec['buckets']) : NaN;
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw new ServerError(40243, "The $bucketAuto 'buckets' field must be greater than 0");
  }
  const granularity = spec['granularity'] === undefined ? undefined : granularityOf(spec['granularity']);
  const fields = accumulatorFields(outputOf(spec), context);
  return blocking(async (input) => {
    const budget = new MemoryBudget('$bucketAuto');
    const docs = await collect(input, (batch) => batch.forEach((doc) => budget.addValue(doc)));
    const rows = docs.map((doc) => ({ doc, value: groupBy(doc) ?? null }));
    rows.sort((a, b) => compareValues(a.value, b.value, context.collation));
    const ranges = autoRanges(rows, wanted, granularity, context);
    return autoBuckets(rows, ranges, fields, budget, context);
  });
};

type Row = { readonly doc: Doc; readonly value: Value };

/** A bucket: the rows from `start` up to but excluding `end`, and its boundaries. */
interface AutoRange {
  start: number;
  end: number;
  min: Value;
  max: Value;
}

/** Splits sorted rows into about `wanted` buckets of equal size. Equal values stay in one bucket. */
function autoRanges(
  rows: readonly Row[],
  wanted: number,
  granularity: Granularity | undefined,
  { collation }: PipelineContext,
): AutoRange[] {
  const size = Math.max(1, Math.round(rows.length / wanted));
  const ranges: AutoRange[] = [];
  let end = 0;
  while (end < rows.length) {
    const start = end;
    end = ranges.length === wanted - 1 ? rows.length : Math.min(rows.length, start + size);
    while (end < rows.length && compareValues(rows[end]!.value, rows[end - 1]!.value, collation) === 0)
      end += 1;
    const previous = ranges.at(-1);
    if (!granularity) {
      const max = end < rows.length ? rows[end]!.value : rows[end - 1]!.value;
      ranges.push({ start, end, min: rows[start]!.value, max });
      continue;
    }
    let max = granularity.up(rows[end - 1]!.value);
    while (end < rows.length && compareValues(rows[end]!.value, max) < 0) end += 1;
    // A bucket of zeros ends where the next one starts.
    if (end < rows.length && isNumeric(max) && toNumber(max) === 0) max = granularity.down(rows[end]!.value);
    ranges.push({ start, end, min: previous ? previous.max : granularity.down(rows[start]!.value), max });
  }
  return ranges;
}

function autoBuckets(
  rows: readonly Row[],
  ranges: readonly AutoRange[],
  fields: Fields,
  budget: MemoryBudget,
  context: PipelineContext,
): Doc[] {
  const grouping = new Grouping(fields, budget, context);
  return ranges.map(({ start, end, min, max }) => {
    const accumulators = fields.map(([, make]) => make(budget));
    for (let i = start; i < end; i++) for (const accumulator of accumulators) accumulator.add(rows[i]!.doc);
    return grouping.doc({ min, max }, accumulators);
  });
}

/** Runs several pipelines on the same documents. */
export const facetStage = (facets: readonly (readonly [string, Stage])[]): Stage =>
  async function* (input: Batches) {
    const budget = new MemoryBudget('$facet');
    const docs = await collect(input, (batch) => batch.forEach((doc) => budget.addValue(doc)));
    const pacer = new Pacer();
    const result = newDoc();
    for (const [name, stage] of facets) {
      result[name] = await collect(stage(batched(docs)));
      await pacer.yieldIfDue();
    }
    yield [result];
  };
