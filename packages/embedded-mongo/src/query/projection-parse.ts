import { compileExpression } from '../expression/expression.js';
import type { CompiledExpression } from '../expression/expression.js';
import { formatElement, isDoc, isNumeric, pathKeys, toNumber, typeName } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isTruthy } from '../values/numbers.js';
import { compileFilter, compileValueFilter } from './matcher.js';
import { isOperatorDoc, logical } from './parse.js';

export type ProjectionLeaf =
  | { kind: 'include' }
  | { kind: 'exclude' }
  | { kind: 'slice'; skip: number; limit: number | undefined }
  | { kind: 'elemMatch'; test: (element: Value) => boolean }
  | { kind: 'positional' }
  | { kind: 'compute'; evaluate: CompiledExpression };

export interface ProjectionNode {
  children: Map<string, ProjectionNode>;
  leaf?: ProjectionLeaf;
  /** True if there is a computed field in this subtree. */
  computes: boolean;
}

export interface ParsedProjection {
  root: ProjectionNode;
  inclusive: boolean;
  needsPosition: boolean;
  coveredFields: readonly string[] | undefined;
}

export const newNode = (): ProjectionNode => ({ children: new Map(), computes: false });

interface Parsing {
  root: ProjectionNode;
  find: boolean;
  /** Whether fields other than `_id` are included or excluded. Undefined until a field determines it. */
  inclusive: boolean | undefined;
  positional: boolean;
  elemMatch: boolean;
  included: string[];
  plain: boolean;
}

const checkPath = (path: string): string[] => {
  const names = pathKeys(path);
  if (names.some((name) => name === '')) {
    throw path === ''
      ? new ServerError(40352, 'FieldPath cannot be constructed with empty string')
      : new ServerError(15998, `FieldPath field names may not be empty strings.`);
  }
  const dollar = names.find((name) => name.startsWith('$'));
  if (dollar !== undefined) {
    throw new ServerError(
      16410,
      `FieldPath field names may not start with '$'. Consider using $getField or $setField.`,
    );
  }
  return names;
};

/** Adds a leaf at a dotted path. Throws if it conflicts with a path above or below it. */
export const addLeaf = (root: ProjectionNode, path: string, leaf: ProjectionLeaf): void => {
  const names = checkPath(path);
  let node = root;
  names.forEach((name, i) => {
    if (leaf.kind === 'compute') node.computes = true;
    let child = node.children.get(name);
    if (!child) {
      child = newNode();
      node.children.set(name, child);
    } else if (child.leaf || i === names.length - 1) {
      const rest = names.slice(i + 1).join('.');
      throw rest && child.leaf
        ? new ServerError(31249, `Path collision at ${path} remaining portion ${rest}`)
        : new ServerError(31250, `Path collision at ${path}`);
    }
    node = child;
  });
  node.leaf = leaf;
  if (leaf.kind === 'compute') node.computes = true;
};

const setMode = (state: Parsing, inclusive: boolean, path: string): void => {
  state.inclusive ??= inclusive;
  if (state.inclusive === inclusive) return;
  throw inclusive
    ? new ServerError(31253, `Cannot do inclusion on field ${path} in exclusion projection`)
    : new ServerError(31254, `Cannot do exclusion on field ${path} in inclusion projection`);
};

const integer = (value: Value, path: string): number => {
  if (!isNumeric(value)) {
    throw new ServerError(
      28724,
      `First argument to $slice must be an array, but is of type: ${typeName(value)} (at ${path})`,
    );
  }
  return Math.trunc(toNumber(value));
};

/**
 * Parses find's `$slice`: a count or `[skip, limit]`. Returns undefined for the expression of the same name.
 */
const sliceLeaf = (operand: Value, path: string): ProjectionLeaf | undefined => {
  if (isNumeric(operand)) return { kind: 'slice', skip: integer(operand, path), limit: undefined };
  if (!Array.isArray(operand))
    throw new ServerError(28667, 'Invalid $slice syntax. The given syntax did not match the find() syntax');
  if (!isNumeric(operand[0]) || operand.length !== 2) return undefined;
  const limit = integer(operand[1], path);
  if (limit <= 0) throw new ServerError(28729, `$slice limit must be positive, found: ${limit}`);
  return { kind: 'slice', skip: integer(operand[0], path), limit };
};

const elemMatchLeaf = (operand: Value, path: string): ProjectionLeaf => {
  if (!isDoc(operand))
    throw new ServerError(
      31274,
      `elemMatch: Invalid argument, object required, but got ${typeName(operand)}`,
    );
  if (path.includes('.')) {
    throw new ServerError(31275, `Cannot use $elemMatch projection on a nested field: ${path}`);
  }
  const first = Object.keys(operand)[0] ?? '';
  if (isOperatorDoc(operand) && !logical.has(first))
    return { kind: 'elemMatch', test: compileValueFilter(operand) };
  const filter = compileFilter(operand);
  return { kind: 'elemMatch', test: (element) => isDoc(element) && filter.matches(element) };
};

const positionalPath = (state: Parsing, path: string): string => {
  if (state.positional)
    throw new ServerError(31276, 'Cannot specify more than one positional projection per query.');
  if (state.elemMatch) throw new ServerError(31256, 'Cannot specify positional operator and $elemMatch.');
  state.positional = true;
  return path.slice(0, -2);
};

const parseOperator = (state: Parsing, path: string, value: Doc): void => {
  const [name] = Object.keys(value);
  if (state.find && name === '$slice') {
    const leaf = sliceLeaf(value[name], path);
    if (leaf) {
      state.plain = false;
      return addLeaf(state.root, path, leaf);
    }
  }
  if (state.find && name === '$elemMatch') {
    if (state.positional) throw new ServerError(31255, 'Cannot specify positional operator and $elemMatch.');
    state.elemMatch = true;
    state.plain = false;
    const leaf = elemMatchLeaf(value[name], path);
    return addLeaf(state.root, path, leaf);
  }
  parseComputed(state, path, value);
};

const computedInExclusion = (path: string, value: Value): ServerError =>
  isDoc(value)
    ? new ServerError(31252, 'Cannot use expression other than $meta in exclusion projection')
    : new ServerError(
        31310,
        `Cannot use an expression ${formatElement(path, value).slice(1, -1).trim()} in an exclusion projection`,
      );

const parseComputed = (state: Parsing, path: string, value: Value): void => {
  if (path !== '_id') {
    if (state.inclusive === false) throw computedInExclusion(path, value);
    state.inclusive = true;
  }
  state.plain = false;
  addLeaf(state.root, path, { kind: 'compute', evaluate: compileExpression(value) });
};

const parseFlag = (state: Parsing, path: string, include: boolean): void => {
  if (path !== '_id') setMode(state, include, path);
  addLeaf(state.root, path, { kind: include ? 'include' : 'exclude' });
  if (include) state.included.push(path);
};

const parseField = (state: Parsing, path: string, value: Value): void => {
  if (state.find && path.endsWith('.$')) {
    if (!(isNumeric(value) || typeof value === 'boolean') || !isTruthy(value)) {
      throw new ServerError(31395, 'positional projection cannot be used with exclusion');
    }
    const array = positionalPath(state, path);
    setMode(state, true, path);
    state.plain = false;
    return addLeaf(state.root, array, { kind: 'positional' });
  }
  if (typeof value === 'boolean' || isNumeric(value)) return parseFlag(state, path, isTruthy(value));
  if (!isDoc(value)) return parseComputed(state, path, value);
  const names = Object.keys(value);
  if (names.length === 0) {
    throw new ServerError(
      51270,
      `An empty sub-projection is not a valid value. Found empty object at path ${path}`,
    );
  }
  if (isOperatorDoc(value)) return parseOperator(state, path, value);
  for (const name of names) parseField(state, `${path}.${name}`, value[name]);
};

/** An inclusion keeps `_id` unless it mentions it. */
const finishId = (state: Parsing, inclusive: boolean): void => {
  const id = state.root.children.get('_id');
  if (inclusive && !id) {
    addLeaf(state.root, '_id', { kind: 'include' });
    state.included.push('_id');
  }
};

export const parseProjection = (spec: Doc, options: { dialect?: 'find' | 'aggregate' }): ParsedProjection => {
  const state: Parsing = {
    root: newNode(),
    find: options.dialect !== 'aggregate',
    inclusive: undefined,
    positional: false,
    elemMatch: false,
    included: [],
    plain: true,
  };
  for (const path of Object.keys(spec)) parseField(state, path, spec[path]);
  const id = state.root.children.get('_id')?.leaf;
  // `$elemMatch` does not determine how other fields are treated. By itself it makes the projection an
  // inclusion.
  const inclusive = state.inclusive ?? (state.elemMatch || id?.kind === 'include' || id?.kind === 'compute');
  finishId(state, inclusive);
  return {
    root: state.root,
    inclusive,
    needsPosition: state.positional,
    coveredFields: inclusive && state.plain ? state.included : undefined,
  };
};
