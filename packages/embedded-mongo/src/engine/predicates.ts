import type { ComparisonOp, FieldNode, FilterNode } from '../query/ast.js';
import { BsonType, isDoc, typeNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { Bracket, bracket, compareValues, equalValues } from '../values/compare.js';
import { isNaNValue } from '../values/numbers.js';

/** The conditions that every match satisfies: the operands of the filter's `and`. */
export const conjunctsOf = (ast: FilterNode): FilterNode[] => {
  if (ast.kind === 'and') return ast.children.flatMap(conjunctsOf);
  return ast.kind === 'true' ? [] : [ast];
};

/**
 * Conditions on one path that apply to the same value. Without arrays, all conditions on a path apply to one
 * value. With an array, only those of one `$elemMatch` do.
 */
export interface Predicate {
  path: string;
  nodes: FieldNode[];
  /** Whether this predicate represents a whole conjunct of the filter. */
  whole: boolean;
}

type ComparableNode = Extract<FieldNode, { op: ComparisonOp | 'in' | 'regex' }>;

const comparable = new Set<string>(['eq', 'gt', 'gte', 'lt', 'lte', 'in', 'regex']);

const isComparable = (node: FilterNode): node is ComparableNode =>
  node.kind === 'field' && comparable.has(node.op);

const hasPosition = (path: string): boolean => /(^|\.)\d+(\.|$)/.test(path);

/** Extracts the conditions of a filter's conjuncts that an index can narrow down. */
export const predicatesOf = (conjuncts: readonly FilterNode[], prefix = ''): Predicate[] => {
  const predicates: Predicate[] = [];
  for (const node of conjuncts) {
    if (node.kind !== 'field') continue;
    const path = prefix + node.path;
    if (hasPosition(path)) continue;
    if (isComparable(node)) predicates.push({ path, nodes: [node], whole: prefix === '' });
    else if (node.op === 'elemMatchValue') {
      const nodes = conjunctsOf(node.child).filter(isComparable);
      if (nodes.length > 0) predicates.push({ path, nodes, whole: false });
    } else if (node.op === 'elemMatchObject') {
      predicates.push(...predicatesOf(conjunctsOf(node.child), `${path}.`));
    }
  }
  return predicates;
};

/**
 * The value of an operand that is the same for every document: a constant or a variable of the command's
 * `let`.
 */
const constantOf = (operand: Value, variables: Doc | undefined): Value => {
  if (typeof operand === 'string' && operand.startsWith('$')) {
    const name = operand.slice(2);
    return operand.startsWith('$$') && variables && Object.hasOwn(variables, name)
      ? variables[name]
      : undefined;
  }
  if (!isDoc(operand)) return operand;
  const [operator, ...more] = Object.keys(operand);
  return more.length === 0 && (operator === '$literal' || operator === '$const')
    ? operand[operator]
    : undefined;
};

const fieldOf = (operand: Value): string | undefined =>
  typeof operand === 'string' && /^\$[^$]/.test(operand) && !hasPosition(operand.slice(1))
    ? operand.slice(1)
    : undefined;

/**
 * Extracts the conditions of `$expr` that an index can narrow down: `{ $eq: ['$field', constant] }`. The
 * documents found are a superset of the matches, because expressions compare whole arrays.
 */
export const expressionPredicates = (
  conjuncts: readonly FilterNode[],
  variables: Doc | undefined,
): Predicate[] => {
  const predicates: Predicate[] = [];
  for (const node of conjuncts) {
    if (node.kind !== 'expr' || !isDoc(node.expression)) continue;
    const { $eq: operands, $and: parts } = node.expression;
    if (Array.isArray(parts)) {
      const inner = parts.map((expression): FilterNode => ({ kind: 'expr', expression }));
      predicates.push(...expressionPredicates(inner, variables));
    }
    if (!Array.isArray(operands) || operands.length !== 2) continue;
    const [a, b] = operands;
    const path = fieldOf(a) ?? fieldOf(b);
    const value = constantOf(fieldOf(a) === undefined ? a : b, variables);
    if (path === undefined || includesNull(value) || Array.isArray(value)) continue;
    predicates.push({ path, nodes: [{ kind: 'field', path, op: 'eq', value }], whole: false });
  }
  return predicates;
};

const includesNull = (value: Value): boolean => {
  const type = typeNumber(value);
  return (
    type === BsonType.null ||
    type === BsonType.undefined ||
    type === BsonType.minKey ||
    type === BsonType.maxKey
  );
};

/** Whether documents without the path can never satisfy the condition. */
export const excludesMissing = (node: FilterNode): boolean => {
  if (node.kind !== 'field') return false;
  switch (node.op) {
    case 'eq':
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return !includesNull(node.value);
    case 'in':
      return !node.values.some(includesNull);
    case 'exists':
    case 'regex':
    case 'size':
    case 'mod':
    case 'elemMatchObject':
    case 'elemMatchValue':
      return true;
    default:
      return false;
  }
};

/** Whether the conjuncts imply `ast`. Returns false when this cannot be determined easily. */
export const implies = (conjuncts: readonly FilterNode[], ast: FilterNode): boolean => {
  if (ast.kind === 'true') return true;
  if (ast.kind === 'and') return ast.children.every((child) => implies(conjuncts, child));
  if (ast.kind === 'or') {
    return (
      ast.children.some((child) => implies(conjuncts, child)) ||
      conjuncts.some(
        (node) => node.kind === 'or' && node.children.every((branch) => implies(conjunctsOf(branch), ast)),
      )
    );
  }
  return conjuncts.some((node) => impliesOne(node, ast));
};

const impliesOne = (given: FilterNode, wanted: FilterNode): boolean => {
  if (given.kind !== 'field' || wanted.kind !== 'field' || given.path !== wanted.path) return false;
  if (given.op === 'in' && given.regexes.length === 0 && wanted.op !== 'exists') {
    return given.values.every((value) =>
      impliesOne({ kind: 'field', path: given.path, op: 'eq', value }, wanted),
    );
  }
  switch (wanted.op) {
    case 'exists':
      return excludesMissing(given);
    case 'eq':
      return given.op === 'eq' && equalValues(given.value, wanted.value);
    case 'in':
      return given.op === 'eq' && wanted.values.some((value) => equalValues(given.value, value));
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return impliesRange(given, wanted.op, wanted.value);
    case 'type':
      return given.op === 'eq'
        ? !Array.isArray(given.value) && wanted.types.has(typeNumber(given.value))
        : given.op === 'type' && [...given.types].every((type) => wanted.types.has(type));
    default:
      return false;
  }
};

const impliesRange = (given: FieldNode, op: 'gt' | 'gte' | 'lt' | 'lte', limit: Value): boolean => {
  if (
    given.op !== 'eq' &&
    given.op !== 'gt' &&
    given.op !== 'gte' &&
    given.op !== 'lt' &&
    given.op !== 'lte'
  ) {
    return false;
  }
  const kind = bracket(limit);
  if (kind !== bracket(given.value) || kind === Bracket.array || kind === Bracket.null) return false;
  if (kind === Bracket.number && (isNaNValue(given.value) || isNaNValue(limit))) return false;
  const order = compareValues(given.value, limit);
  const upward = op === 'gt' || op === 'gte';
  if (given.op !== 'eq' && upward !== (given.op === 'gt' || given.op === 'gte')) return false;
  if (order === 0) return op === 'gte' || op === 'lte' ? true : given.op === op;
  return upward ? order > 0 : order < 0;
};
