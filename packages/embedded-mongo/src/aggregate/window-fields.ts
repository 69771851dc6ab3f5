import { isDoc, pathKeys, typeName, type Doc, type Value } from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { compileSort, type Sort } from '../query/sort.js';
import { bindExpression, type PipelineContext, type StageBuilder } from './context.js';
import { MemoryBudget } from './memory.js';
import { Pacer, blocking, collect } from './stream.js';
import { withPath } from './unwind.js';
import { valueKey } from './value-key.js';
import { operatorOf } from './window-bounds.js';
import { compileWindowFunction, type Partition, type WindowFunction } from './window-functions.js';

interface Row {
  doc: Doc;
  key: Value[];
}

function partitionOf(rows: Row[], sort: Sort | undefined): Partition {
  if (sort) rows.sort((a, b) => sort.compareKeys(a.key, b.key));
  return {
    docs: rows.map(({ doc }) => doc),
    sortValues: rows.map(({ key }) => key[0] ?? null),
    ties: rows.map(({ key }, index) => {
      const before = rows[index - 1];
      return sort !== undefined && before !== undefined && sort.compareKeys(before.key, key) === 0;
    }),
  };
}

/** `$setWindowFields`: each document gains fields computed over the documents around it. */
export const setWindowFields: StageBuilder = (spec, context) => {
  if (!isDoc(spec) || !isDoc(spec['output'])) {
    throw new ServerError(
      'FailedToParse',
      `the $setWindowFields stage needs an object with 'output', found ${typeName(spec)}`,
    );
  }
  const { sortBy } = spec;
  const sort = isDoc(sortBy) ? compileSort(sortBy, context.collation) : undefined;
  const partitionBy =
    spec['partitionBy'] === undefined ? (): Value => null : bindExpression(spec['partitionBy'], context);
  const outputs = Object.entries(spec['output']).map(([field, value]) => {
    const { name, argument, window } = operatorOf(field, value);
    const situation = { context, sortFields: sort?.fields.length ?? 0, window };
    return [pathKeys(field), compileWindowFunction(field, name, argument, situation)] as const;
  });
  return blocking(async (input) => {
    const budget = new MemoryBudget('$setWindowFields');
    const docs = await collect(input, (batch) => batch.forEach((doc) => budget.addValue(doc)));
    return compute(docs, partitionBy, sort, outputs, context);
  });
};

async function compute(
  docs: readonly Doc[],
  partitionBy: (doc: Doc) => Value,
  sort: Sort | undefined,
  outputs: readonly (readonly [string[], WindowFunction])[],
  context: PipelineContext,
): Promise<Doc[]> {
  const partitions = new Map<string, { value: Value; rows: Row[] }>();
  for (const doc of docs) {
    const value = partitionBy(doc) ?? null;
    const row: Row = { doc, key: sort?.sortKey(doc) ?? [] };
    const key = valueKey(value, context.collation);
    const known = partitions.get(key);
    if (known) known.rows.push(row);
    else partitions.set(key, { value, rows: [row] });
  }
  const ordered = [...partitions.values()].sort((a, b) => compareValues(a.value, b.value, context.collation));
  const pacer = new Pacer();
  const results: Doc[] = [];
  for (const { rows } of ordered) {
    const partition = partitionOf(rows, sort);
    const columns = outputs.map(([path, work]) => ({ path, values: work(partition) }));
    partition.docs.forEach((doc, index) => {
      results.push(
        columns.reduce((changed, { path, values }) => withPath(changed, path, values[index]), doc),
      );
    });
    await pacer.breathe();
  }
  return results;
}
