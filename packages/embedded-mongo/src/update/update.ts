import { Timestamp } from 'bson';
import { formatValue, isDoc, newDoc, typeName } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { compareValues, identical } from '../values/compare.js';
import type { Collation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { getField, MISSING } from '../values/path.js';
import { applyTree } from './apply.js';
import { checkIdentifiers, compileArrayFilters } from './array-filters.js';
import { arrayOperators } from './operators-array.js';
import { fieldOperators } from './operators-field.js';
import { compilePipeline } from './pipeline.js';
import { addRename } from './rename.js';
import { addOperation, newUpdateNode, sortChildren } from './tree.js';
import type { UpdateNode } from './tree.js';

export { seedFromFilter } from './seed.js';

export interface UpdateOptions {
  arrayFilters?: Doc[];
  collation?: Collation;
  let?: Doc;
  now: () => Date;
  timestamp: () => Timestamp;
}

export interface UpdateContext {
  /** Index of the array element that the filter matched, for the positional `$` operator. */
  arrayIndex?: number;
  /** True for the insert of an upsert, in which `$setOnInsert` applies. */
  isInsert?: boolean;
}

export interface Updater {
  readonly kind: 'operators' | 'replacement' | 'pipeline';
  /** True if `apply` needs the index of the matching array element. */
  readonly needsPosition: boolean;
  /** Returns the changed document. The original is not modified, but unchanged parts may be shared. */
  apply(doc: Doc, ctx: UpdateContext): { doc: Doc; changed: boolean };
}

const immutableId = (message: string): ServerError => new ServerError('ImmutableField', message);

/** `_id` may be set if it is missing (in an upsert), but never changed or removed. */
const checkId = (before: Doc, after: Doc, kind: Updater['kind']): void => {
  const old = getField(before, '_id');
  const now = getField(after, '_id');
  if (now === old) return;
  if (Array.isArray(now)) throw new ServerError('InvalidIdField', "The '_id' value cannot be of type array");
  if (old === MISSING) return;
  if (now !== MISSING && compareValues(old, now) === 0 && typeName(old) === typeName(now)) return;
  throw kind === 'operators'
    ? immutableId("Performing an update on the path '_id' would modify the immutable field '_id'")
    : immutableId(
        `After applying the update, the (immutable) field '_id' was found to have been altered to _id: ${now === MISSING ? 'undefined' : formatValue(now)}`,
      );
};

/** Moves `_id` before the other fields. */
const idFirst = (doc: Doc): Doc => {
  const names = Object.keys(doc);
  if (names[0] === '_id' || !Object.hasOwn(doc, '_id')) return doc;
  return Object.assign(newDoc(), { _id: doc['_id'] }, doc);
};

const operands = (update: Doc, operator: string): [string, Value][] => {
  const fields = update[operator];
  if (!isDoc(fields)) {
    throw new ServerError(
      'FailedToParse',
      `Modifiers operate on fields but we found type ${typeName(fields)} instead. For example: {$mod: {<field>: ...}} not {${operator}: ${formatValue(fields)}}`,
    );
  }
  return Object.entries(fields);
};

const addOperator = (root: UpdateNode, update: Doc, operator: string, collation?: Collation): string[] => {
  if (operator === '$rename') {
    return operands(update, operator).flatMap(([from, to]) => {
      addRename(root, from, to);
      return [from, String(to)];
    });
  }
  const field = Object.hasOwn(fieldOperators, operator) ? fieldOperators[operator] : undefined;
  const array = Object.hasOwn(arrayOperators, operator) ? arrayOperators[operator] : undefined;
  const make = field ?? array;
  if (!make) {
    throw new ServerError(
      'FailedToParse',
      `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
    );
  }
  return operands(update, operator).map(([path, argument]) => {
    addOperation(root, path, make(argument, path, collation));
    return path;
  });
};

const compileOperators = (update: Doc, options: UpdateOptions): Updater => {
  const root = newUpdateNode();
  const paths = Object.keys(update).flatMap((operator) =>
    addOperator(root, update, operator, options.collation),
  );
  sortChildren(root);
  const filters = compileArrayFilters(options.arrayFilters ?? [], options.collation);
  checkIdentifiers(paths, filters, update);
  const dollar = paths.find((path) => path.startsWith('$') && !referenceFields.has(path.split('.')[0]!));
  const apply: Updater['apply'] = (doc, ctx) => {
    if (dollar !== undefined && !ctx.isInsert) throw dollarPrefixed(dollar);
    const changed = applyTree(root, doc, {
      original: doc,
      isInsert: ctx.isInsert ?? false,
      arrayIndex: ctx.arrayIndex,
      collation: options.collation,
      now: options.now,
      timestamp: options.timestamp,
      filters,
    });
    checkId(doc, changed, 'operators');
    return { doc: idFirst(changed), changed: changed !== doc };
  };
  return { kind: 'operators', needsPosition: paths.some((path) => /\.\$(\.|$)/.test(path)), apply };
};

const noArrayFilters = (options: UpdateOptions, kind: string): void => {
  if (options.arrayFilters && options.arrayFilters.length > 0) {
    throw new ServerError('FailedToParse', `Cannot specify arrayFilters ${kind}`);
  }
};

/** An empty timestamp at the top level of a replacement is replaced by the current one, as on insert. */
const fillTimestamps = (doc: Doc, timestamp: () => Timestamp): Doc => {
  const filled = newDoc();
  for (const [name, value] of Object.entries(doc)) {
    const empty = value instanceof Timestamp && value.isZero() && name !== '_id';
    filled[name] = empty ? timestamp() : value;
  }
  return filled;
};

/** Names that MongoDB allows at the top level of a document for references (DBRef). */
const referenceFields: ReadonlySet<string> = new Set(['$ref', '$id', '$db']);

/**
 * The error for a top-level field whose name starts with a dollar sign. Only inserts, including those of
 * upserts, may create such fields.
 */
const dollarPrefixed = (path: string): ServerError => {
  const [name = ''] = path.split('.');
  return new ServerError(
    'DollarPrefixedFieldName',
    `The dollar ($) prefixed field '${name}' in '${path}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
  );
};

const compileReplacement = (update: Doc, options: UpdateOptions): Updater => {
  const dollar = Object.keys(update).find((name) => name.startsWith('$'));
  noArrayFilters(options, 'with a replacement document');
  const apply: Updater['apply'] = (doc, ctx) => {
    if (dollar !== undefined && !ctx.isInsert) throw dollarPrefixed(dollar);
    const result = newDoc();
    const id = getField(doc, '_id');
    if (id !== MISSING) result['_id'] = id;
    Object.assign(result, fillTimestamps(update, options.timestamp));
    checkId(doc, result, 'replacement');
    if (id !== MISSING) result['_id'] = id;
    const replaced = idFirst(result);
    return { doc: replaced, changed: !identical(replaced, doc) };
  };
  return { kind: 'replacement', needsPosition: false, apply };
};

const compilePipelineUpdate = (stages: Doc[], options: UpdateOptions): Updater => {
  noArrayFilters(options, 'when updating with a pipeline');
  const run = compilePipeline(stages, { ...(options.let ? { let: options.let } : {}), now: options.now });
  const apply: Updater['apply'] = (doc) => {
    const computed = run(doc);
    const id = getField(doc, '_id');
    const result =
      id !== MISSING && getField(computed, '_id') === MISSING
        ? Object.assign(newDoc(), { _id: id }, computed)
        : idFirst(computed);
    checkId(doc, result, 'pipeline');
    return { doc: result, changed: !identical(result, doc) };
  };
  return { kind: 'pipeline', needsPosition: false, apply };
};

/**
 * Compiles an update: a document with operators, a replacement, or a pipeline. Throws MongoDB's errors if it
 * is malformed. Errors that depend on the document (PathNotViable, TypeMismatch, ImmutableField …) are thrown
 * by `apply`.
 */
export const compileUpdate = (update: Doc | Doc[], options: UpdateOptions): Updater => {
  if (Array.isArray(update)) return compilePipelineUpdate(update, options);
  const names = Object.keys(update);
  if (names[0]?.startsWith('$') !== true) return compileReplacement(update, options);
  return compileOperators(update, options);
};
