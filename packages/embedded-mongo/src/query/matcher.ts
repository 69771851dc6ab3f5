import { BSONRegExp, BSONSymbol, MaxKey, MinKey, ObjectId } from 'bson';
import { compileExpression } from '../expression/expression.js';
import { fieldKey, isDoc, isNumeric, newDoc, typeNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { Bracket, bracket, compareValues, equalValues } from '../values/compare.js';
import type { Collation } from '../values/compare.js';
import { fitsInt64, isNaNValue, isTruthy, truncate } from '../values/numbers.js';
import { getField, MISSING, splitPath, visitPath } from '../values/path.js';
import type { Candidate } from '../values/path.js';
import type { ComparisonOp, FieldNode, FilterNode } from './ast.js';
import { matchBits } from './bits.js';
import { compileJsonSchema } from './json-schema.js';
import { parseFilter } from './parse.js';
import { toRegExp } from '../values/regex.js';

export interface FilterOptions {
  collation?: Collation;
  /** Values of the command's `let`, for `$expr`. */
  let?: Doc;
  /** The value of `$$NOW`. */
  now?: Date;
}

export interface Filter {
  readonly ast: FilterNode;
  matches(doc: Doc): boolean;
  /** Also returns the index of the matching array element, for the positional `$` operator. */
  matchPositional(doc: Doc): { matched: boolean; arrayIndex?: number };
}

/** Receives the position of a match, -1 if there is none. Null if the position is not needed. */
type Position = { index: number } | null;
type Test = (doc: Doc, position: Position) => boolean;
type ValueTest = (value: Candidate, position: Position) => boolean;

const isNullish = (value: Candidate): boolean => value === null || value === undefined || value === MISSING;

const equalityTest = (value: Value, collation?: Collation): ValueTest => {
  if (value === null) return isNullish;
  if (typeof value === 'string' && !collation) {
    return (found) => found === value || (found instanceof BSONSymbol && found.value === value);
  }
  if (typeof value === 'boolean') return (found) => found === value;
  if (value instanceof ObjectId) return (found) => found instanceof ObjectId && found.equals(value);
  const kind = bracket(value);
  return (found) => found !== MISSING && bracket(found) === kind && equalValues(found, value, collation);
};

const orderAccepts: Record<Exclude<ComparisonOp, 'eq'>, (order: number) => boolean> = {
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
};

const orderTest = (op: Exclude<ComparisonOp, 'eq'>, value: Value, collation?: Collation): ValueTest => {
  const withEqual = op === 'gte' || op === 'lte';
  if (value === null) return withEqual ? isNullish : () => false;
  const accepts = orderAccepts[op];
  const kind = bracket(value);
  if (value instanceof MinKey || value instanceof MaxKey) {
    const others = value instanceof MaxKey ? op === 'lt' || op === 'lte' : op === 'gt' || op === 'gte';
    return (found) => (found !== MISSING && bracket(found) === kind ? withEqual : others);
  }
  if (isNumeric(value)) {
    const nan = isNaNValue(value);
    return (found) => {
      if (found === MISSING || bracket(found) !== Bracket.number) return false;
      if (nan || isNaNValue(found)) return withEqual && nan && isNaNValue(found);
      return accepts(compareValues(found, value));
    };
  }
  return (found) =>
    found !== MISSING && bracket(found) === kind && accepts(compareValues(found, value, collation));
};

const inTest = (values: Value[], regexes: BSONRegExp[], collation?: Collation): ValueTest => {
  const sorted = [...values].sort((a, b) => compareValues(a, b, collation));
  const withNull = values.includes(null);
  const patterns = regexes.map(regexTest);
  const contains = (found: Value): boolean => {
    let low = 0;
    let high = sorted.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = compareValues(sorted[middle], found, collation);
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return false;
  };
  return (found, position) => {
    if (withNull && isNullish(found)) return true;
    if (found !== MISSING && found !== undefined && contains(found)) return true;
    return patterns.some((pattern) => pattern(found, position));
  };
};

const regexTest = (regex: BSONRegExp): ValueTest => {
  const pattern = toRegExp(regex);
  return (found) => {
    if (typeof found === 'string') return pattern.test(found);
    if (found instanceof BSONSymbol) return pattern.test(found.value);
    return found instanceof BSONRegExp && found.pattern === regex.pattern && found.options === regex.options;
  };
};

const modTest =
  (divisor: bigint, remainder: bigint): ValueTest =>
  (found) => {
    if (found === MISSING || !isNumeric(found)) return false;
    const whole = truncate(found);
    return whole !== undefined && fitsInt64(whole) && whole % divisor === remainder;
  };

/** Treats an array as a document whose field names are indexes. */
const asDoc = (element: Value): Doc | undefined => {
  if (isDoc(element)) return element;
  if (!Array.isArray(element)) return undefined;
  const doc = newDoc();
  element.forEach((value, i) => (doc[fieldKey(String(i))] = value));
  return doc;
};

const anyElement =
  (test: (element: Value) => boolean): ValueTest =>
  (found, position) => {
    if (!Array.isArray(found)) return false;
    const index = found.findIndex(test);
    if (index >= 0 && position) position.index = index;
    return index >= 0;
  };

const valueTest = (node: FieldNode, options: FilterOptions): ValueTest => {
  switch (node.op) {
    case 'eq':
      return equalityTest(node.value, options.collation);
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return orderTest(node.op, node.value, options.collation);
    case 'in':
      return inTest(node.values, node.regexes, options.collation);
    case 'exists':
      return (found) => found !== MISSING;
    case 'regex':
      return regexTest(node.regex);
    case 'type':
      return (found) => found !== MISSING && node.types.has(typeNumber(found));
    case 'size':
      return (found) => Array.isArray(found) && found.length === node.size;
    case 'mod':
      return modTest(node.divisor, node.remainder);
    case 'elemMatchObject': {
      const child = compileNode(node.child, options);
      return anyElement((element) => {
        const doc = asDoc(element);
        return doc !== undefined && child(doc, null);
      });
    }
    case 'elemMatchValue': {
      const child = compileValueNode(node.child, options);
      return anyElement((element) => child(element, null));
    }
    default:
      return (found) => found !== MISSING && matchBits(node.op, node.mask, found);
  }
};

/** Compiles a node whose paths are all '' to a test of a single value. */
const compileValueNode = (node: FilterNode, options: FilterOptions): ValueTest => {
  switch (node.kind) {
    case 'field':
      return valueTest(node, options);
    case 'not': {
      const child = compileValueNode(node.child, options);
      return (value) => !child(value, null);
    }
    case 'and': {
      const children = node.children.map((child) => compileValueNode(child, options));
      return (value) => children.every((child) => child(value, null));
    }
    default:
      return () => node.kind === 'true';
  }
};

const wholeArray = new Set<FieldNode['op']>(['size', 'exists', 'elemMatchObject', 'elemMatchValue']);

const compileField = (node: FieldNode, options: FilterOptions): Test => {
  const test = valueTest(node, options);
  const path = splitPath(node.path);
  const expandLeaf = !wholeArray.has(node.op);
  const visit: Test = (doc, position) =>
    visitPath(doc, path, expandLeaf, (value, index) => {
      if (!test(value, position)) return false;
      if (position && index >= 0) position.index = index;
      return true;
    });
  const name = path[0] ?? '';
  if (path.length > 1) return visit;
  return (doc, position) => {
    const value = getField(doc, name);
    return expandLeaf && Array.isArray(value) ? visit(doc, position) : test(value, position);
  };
};

const compileAnd = (children: Test[]): Test => {
  return (doc, position) => {
    for (const child of children) {
      if (!child(doc, position)) {
        if (position) position.index = -1;
        return false;
      }
    }
    return true;
  };
};

const compileExpr = (expression: Value, options: FilterOptions): Test => {
  const evaluate = compileExpression(expression);
  const vars: Record<string, Value> = { ...options.let };
  if (options.now) vars['NOW'] = options.now;
  return (doc) => isTruthy(evaluate(doc, vars));
};

const compileNode = (node: FilterNode, options: FilterOptions): Test => {
  switch (node.kind) {
    case 'true':
      return () => true;
    case 'false':
      return () => false;
    case 'and':
      return compileAnd(node.children.map((child) => compileNode(child, options)));
    case 'or': {
      const children = node.children.map((child) => compileNode(child, options));
      return (doc, position) => children.some((child) => child(doc, position));
    }
    case 'nor': {
      const children = node.children.map((child) => compileNode(child, options));
      return (doc) => !children.some((child) => child(doc, null));
    }
    case 'not': {
      const child = compileNode(node.child, options);
      return (doc) => !child(doc, null);
    }
    case 'expr':
      return compileExpr(node.expression, options);
    case 'jsonSchema': {
      const validate = compileJsonSchema(node.schema);
      return (doc) => validate(doc);
    }
    case 'sampleRate':
      return () => Math.random() < node.rate;
    case 'field':
      return compileField(node, options);
  }
};

/** Compiles a parsed filter. See `compileFilter`. */
export const compileFilterNode = (ast: FilterNode, options: FilterOptions = {}): Filter => {
  const test = compileNode(ast, options);
  return {
    ast,
    matches: (doc) => test(doc, null),
    matchPositional: (doc) => {
      const position = { index: -1 };
      const matched = test(doc, position);
      return matched && position.index >= 0 ? { matched, arrayIndex: position.index } : { matched };
    },
  };
};

/**
 * Parses and compiles a filter. Throws MongoDB's errors here rather than during matching, except for errors
 * in `$expr`.
 */
export const compileFilter = (filter: Doc, options: FilterOptions = {}): Filter =>
  compileFilterNode(parseFilter(filter), options);

/**
 * Compiles a test of single values, such as the operand of `$pull`: operators like `{ $gt: 3 }` apply to the
 * value itself.
 */
export const compileValueFilter = (
  operators: Doc,
  options: FilterOptions = {},
): ((value: Value) => boolean) => {
  const parsed = parseFilter({ value: operators });
  const test = compileNode(parsed, options);
  return (value) => test({ value }, null);
};
