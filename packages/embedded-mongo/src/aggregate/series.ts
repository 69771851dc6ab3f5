import {
  double,
  int,
  isDoc,
  isNumeric,
  newDoc,
  toNumber,
  typeName,
  type Doc,
  type Value,
  pathKeys,
} from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { bindExpression, type PipelineContext, type StageBuilder } from './context.js';
import { MemoryBudget } from './memory.js';
import { addFields } from './project.js';
import { blocking, collect, type Stage } from './stream.js';
import { fieldAt, withPath } from './unwind.js';
import { valueKey } from './value-key.js';
import { position, shiftBy } from './window-bounds.js';
import { setWindowFields } from './window-fields.js';

const invalid = (message: string): ServerError => new ServerError('FailedToParse', message);

/** `$fill`: missing and null values by a constant, by the value before, or on the line between their neighbours. */
export const fill: StageBuilder = (spec, context) => {
  if (!isDoc(spec) || !isDoc(spec['output'])) throw invalid("$fill requires an object with 'output'");
  const { partitionBy, partitionByFields, sortBy, output } = spec;
  const methods: Doc = {};
  const constants: Doc = {};
  for (const [field, how] of Object.entries(output)) {
    if (!isDoc(how)) throw invalid(`$fill needs a value or a method for '${field}'`);
    if (how['method'] === 'locf') methods[field] = { $locf: `$${field}` };
    else if (how['method'] === 'linear') methods[field] = { $linearFill: `$${field}` };
    else if ('value' in how) constants[field] = { $ifNull: [`$${field}`, how['value']] };
    else throw invalid(`Method must be either 'locf' or 'linear' for '${field}'`);
  }
  const stages: Stage[] = [];
  if (Object.keys(constants).length > 0) stages.push(addFields(constants, context));
  if (Object.keys(methods).length > 0) {
    const by = Array.isArray(partitionByFields)
      ? Object.fromEntries(partitionByFields.map((field, index) => [`f${index}`, `$${String(field)}`]))
      : partitionBy;
    stages.push(
      setWindowFields(
        {
          ...(by !== undefined && { partitionBy: by }),
          ...(sortBy !== undefined && { sortBy }),
          output: methods,
        },
        context,
      ),
    );
  }
  return (input) => stages.reduce((batches, stage) => stage(batches), input);
};

interface DensifySpec {
  field: string[];
  partitionBy: string[];
  step: number;
  unit: Value;
  bounds: 'full' | 'partition' | [Value, Value];
}

function parseDensify(spec: Value): DensifySpec {
  if (!isDoc(spec))
    throw new ServerError(5733401, `The $densify specification must be an object, found ${typeName(spec)}`);
  const { field, partitionByFields, range } = spec;
  if (typeof field !== 'string' || !isDoc(range))
    throw new ServerError(40414, "$densify requires 'field' and 'range'");
  const step = isNumeric(range['step']) ? toNumber(range['step']) : NaN;
  if (!(step > 0))
    throw new ServerError(
      5733401,
      'The step parameter in a range statement must be a strictly positive numeric value',
    );
  const { bounds } = range;
  const known = bounds === 'full' || bounds === 'partition' || (Array.isArray(bounds) && bounds.length === 2);
  if (!known) throw new ServerError(5946802, "Bounds must be 'full', 'partition', or an array of two values");
  return {
    field: pathKeys(field),
    partitionBy: Array.isArray(partitionByFields) ? partitionByFields.map(String) : [],
    step,
    unit: range['unit'],
    bounds: bounds as DensifySpec['bounds'],
  };
}

/** The values from `low` up to `high` in steps, in the type of `low`. */
function* grid(low: Value, high: number, inclusive: boolean, { step, unit }: DensifySpec): Generator<Value> {
  const shift = shiftBy(unit);
  for (let i = 0; ; i++) {
    const at = shift(low, i * step);
    if (inclusive ? at > high : at >= high) return;
    if (low instanceof Date) yield new Date(at);
    else
      yield Number.isInteger(at) && Number.isInteger(step) && typeName(low) === 'int' ? int(at) : double(at);
  }
}

/** `$densify`: adds documents so that a series of numbers or dates has no gaps. */
export const densify: StageBuilder = (raw, context) => {
  const spec = parseDensify(raw);
  const budget = new MemoryBudget('$densify');
  return blocking(async (input) => {
    const docs = await collect(input, (batch) => batch.forEach((doc) => budget.addValue(doc)));
    const withValue = docs.filter((doc) => (fieldAt(doc, spec.field) ?? null) !== null);
    const rest = docs.filter((doc) => (fieldAt(doc, spec.field) ?? null) === null);
    const value = (doc: Doc): Value => fieldAt(doc, spec.field);
    withValue.sort((a, b) => compareValues(value(a), value(b)));
    const range = rangeOf(withValue, value, spec);
    const dense = partitionsOf(withValue, spec, context).flatMap(({ base, members }) => {
      const [low, high, inclusive] = range ?? [value(members[0]!), position(value(members.at(-1)!)), true];
      return fillGaps(members, base, [...grid(low, high, inclusive, spec)], value, spec, budget);
    });
    return [...rest, ...dense];
  });
};

/** The range that is the same for every partition; undefined when each has its own. */
function rangeOf(
  sorted: readonly Doc[],
  value: (doc: Doc) => Value,
  { bounds }: DensifySpec,
): [low: Value, high: number, inclusive: boolean] | undefined {
  if (Array.isArray(bounds)) return [bounds[0], position(bounds[1]), false];
  const [first, last] = [sorted[0], sorted.at(-1)];
  return bounds === 'full' && first && last ? [value(first), position(value(last)), true] : undefined;
}

interface DensePartition {
  /** The fields that the added documents share. */
  base: Doc;
  members: Doc[];
}

function partitionsOf(sorted: readonly Doc[], spec: DensifySpec, context: PipelineContext): DensePartition[] {
  const partitions = new Map<string, DensePartition>();
  const paths = spec.partitionBy.map(
    (path) => [pathKeys(path), bindExpression(`$${path}`, context)] as const,
  );
  for (const doc of sorted) {
    const key = valueKey(paths.map(([, read]) => read(doc) ?? null));
    const known = partitions.get(key);
    if (known) {
      known.members.push(doc);
      continue;
    }
    const base = paths.reduce<Doc>((made, [path, read]) => withPath(made, path, read(doc)), newDoc());
    partitions.set(key, { base, members: [doc] });
  }
  return [...partitions.values()];
}

function fillGaps(
  members: readonly Doc[],
  base: Doc,
  wanted: readonly Value[],
  value: (doc: Doc) => Value,
  spec: DensifySpec,
  budget: MemoryBudget,
): Doc[] {
  const present = new Set(members.map((doc) => position(value(doc))));
  const added = wanted
    .filter((step) => !present.has(position(step)))
    .map((step) => {
      const doc = withPath(base, spec.field, step);
      budget.addValue(doc);
      return doc;
    });
  return [...members, ...added].sort((a, b) => compareValues(value(a), value(b)));
}
