import {
  isDoc,
  isNumeric,
  long,
  int,
  newDoc,
  toNumber,
  typeName,
  type Doc,
  type Value,
  fieldKey,
  formatDoc,
  formatValue,
} from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { compileExpression } from '../expression/expression.js';
import { compileFilter } from '../query/matcher.js';
import { compileSort } from '../query/sort.js';
import { bindExpression, type PipelineContext, type StageBuilder } from './context.js';
import { MemoryBudget } from './memory.js';
import { blocking, flatMapping, mapping, type Stage } from './stream.js';

export const match: StageBuilder = (spec, context) => {
  if (!isDoc(spec)) throw new ServerError(15959, 'the match filter must be an expression in an object');
  const { collation, variables, now } = context;
  const filter = compileFilter(spec, {
    ...(collation && { collation }),
    let: variables,
    now: new Date(now()),
  });
  return flatMapping((doc, out) => {
    if (filter.matches(doc)) out.push(doc);
  });
};

function wholeNumber(
  spec: Value,
  stage: string,
  least: number,
  codes: { type: number; range: number },
): number {
  if (!isNumeric(spec) || !Number.isInteger(toNumber(spec))) {
    throw new ServerError(
      codes.type,
      `invalid argument to ${stage} stage: Expected an integer, got: ${typeName(spec)}`,
    );
  }
  const value = toNumber(spec);
  if (value < 0) {
    throw new ServerError(
      codes.type,
      `invalid argument to ${stage} stage: Expected a non-negative number in: ${stage}: ${value}`,
    );
  }
  if (value < least) throw new ServerError(codes.range, 'the limit must be positive');
  return value;
}

export const limitOf = (spec: Value): number =>
  wholeNumber(spec, '$limit', 1, { type: 5107201, range: 15958 });
export const skipOf = (spec: Value): number =>
  wholeNumber(spec, '$skip', 0, { type: 5107200, range: 5107200 });

export const limit: StageBuilder = (spec) => {
  const most = limitOf(spec);
  return async function* (input) {
    let left = most;
    for await (const batch of input) {
      const taken = batch.length > left ? batch.slice(0, left) : batch;
      left -= taken.length;
      if (taken.length > 0) yield taken;
      if (left === 0) return;
    }
  };
};

export const skip: StageBuilder = (spec) => {
  const count = skipOf(spec);
  return async function* (input) {
    let left = count;
    for await (const batch of input) {
      const rest = left === 0 ? batch : batch.slice(left);
      left -= batch.length - rest.length;
      if (rest.length > 0) yield rest;
    }
  };
};

export const count: StageBuilder = (spec) => {
  if (typeof spec !== 'string' || spec === '')
    throw new ServerError(40156, 'the count field must be a non-empty string');
  if (spec.startsWith('$')) throw new ServerError(40158, 'the count field cannot be a $-prefixed path');
  if (spec.includes('.')) throw new ServerError(40160, "the count field cannot contain '.'");
  return blocking(async (input) => {
    let total = 0;
    for await (const batch of input) total += batch.length;
    return total === 0 ? [] : [{ [fieldKey(spec)]: countValue(total) }];
  });
};

/** Counts are returned as int if they fit, otherwise as long. */
export const countValue = (total: number): Value => (total <= 0x7fffffff ? int(total) : long(total));

/** `most`: maximum number of documents needed because of a following limit. */
export function sortStage(spec: Doc, context: PipelineContext, most = Infinity): Stage {
  const order = compileSort(spec, context.collation);
  return blocking(async (input) => {
    const budget = new MemoryBudget('$sort');
    let rows: { doc: Doc; key: Value[]; at: number }[] = [];
    const compare = (a: (typeof rows)[number], b: (typeof rows)[number]): number =>
      order.compareKeys(a.key, b.key) || a.at - b.at;
    const cut = most === Infinity ? Infinity : most * 2 + 1000;
    let at = 0;
    for await (const batch of input) {
      for (const doc of batch) {
        if (cut === Infinity) budget.addValue(doc);
        rows.push({ doc, key: order.sortKey(doc), at: at++ });
      }
      if (rows.length > cut) rows = rows.sort(compare).slice(0, most);
    }
    rows.sort(compare);
    return rows.slice(0, most).map(({ doc }) => doc);
  });
}

export const sort: StageBuilder = (spec, context) => {
  if (!isDoc(spec)) throw new ServerError(15973, 'the $sort key specification must be an object');
  if (Object.keys(spec).length === 0)
    throw new ServerError(15976, '$sort stage must have at least one sort key');
  return sortStage(spec, context);
};

export const sample: StageBuilder = (spec) => {
  const size = isDoc(spec) && isNumeric(spec['size']) ? toNumber(spec['size']) : NaN;
  if (!(size > 0)) throw new ServerError(28747, 'size argument to $sample must be a positive integer');
  return blocking(async (input) => {
    const chosen: Doc[] = [];
    let seen = 0;
    for await (const batch of input) {
      for (const doc of batch) {
        seen += 1;
        if (chosen.length < size) chosen.push(doc);
        else {
          const slot = Math.floor(Math.random() * seen);
          if (slot < size) chosen[slot] = doc;
        }
      }
    }
    for (let i = chosen.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [chosen[i], chosen[j]] = [chosen[j]!, chosen[i]!];
    }
    return chosen;
  });
};

const replacing = (spec: Value, context: PipelineContext, what: string): Stage => {
  const value = bindExpression(spec, context);
  return mapping((doc) => {
    const replaced = value(doc);
    if (isDoc(replaced)) return replaced;
    const [shown, type] =
      replaced === undefined ? ['MISSING', 'missing'] : [formatValue(replaced), typeName(replaced)];
    throw new ServerError(
      40228,
      `${what}  must evaluate to an object, but resulting value was: ${shown}. Type of resulting value: '${type}'. Input document: {${formatDoc(doc).slice(2, -2)}}`,
    );
  });
};

export const replaceWith: StageBuilder = (spec, context) =>
  replacing(spec, context, "'replacement document'");

export const replaceRoot: StageBuilder = (spec, context) => {
  if (!isDoc(spec) || spec['newRoot'] === undefined) {
    throw new ServerError(40231, 'no newRoot specified for the $replaceRoot stage');
  }
  return replacing(spec['newRoot'], context, "'newRoot' expression");
};

/** `$redact` decides at each level according to `$$KEEP`, `$$PRUNE` and `$$DESCEND`. */
export const redact: StageBuilder = (spec, context) => {
  const decide = compileExpression(spec);
  const visit = (doc: Doc, root: Doc): Doc | undefined => {
    const decision = decide(root, { ...context.variables, CURRENT: doc });
    if (decision === '$$KEEP') return doc;
    if (decision === '$$PRUNE') return undefined;
    if (decision !== '$$DESCEND')
      throw new ServerError(17053, '$redact must return $$KEEP, $$PRUNE or $$DESCEND');
    const result = newDoc();
    for (const [field, value] of Object.entries(doc)) {
      const kept = descend(value, root);
      if (kept !== undefined) result[field] = kept;
    }
    return result;
  };
  const descend = (value: Value, root: Doc): Value => {
    if (Array.isArray(value))
      return value.map((item) => descend(item, root)).filter((item) => item !== undefined);
    return isDoc(value) ? visit(value, root) : value;
  };
  return flatMapping((doc, out) => {
    const kept = visit(doc, doc);
    if (kept) out.push(kept);
  });
};
