import { ServerError } from '../values/errors.js';
import { newDoc, isDoc } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { getField, MISSING } from '../values/path.js';
import type { FilterNode } from './ast.js';
import { parseProjection } from './projection-parse.js';
import type { ProjectionLeaf, ProjectionNode } from './projection-parse.js';

export interface Projection {
  /**
   * Returns the projected document. `arrayIndex`: the element that the filter matched, for `a.$`. `vars`:
   * additional variables.
   */
  apply(doc: Doc, arrayIndex?: number, vars?: Record<string, Value>): Doc;
  /** True if documents are returned unchanged. */
  readonly isNoop: boolean;
  /** True if `apply` needs the index of the matching array element. */
  readonly needsPosition: boolean;
  /** All paths that the projection reads, if known. An index that contains them covers it. */
  readonly coveredFields?: readonly string[];
}

export interface ProjectionOptions {
  let?: Doc;
  now?: Date;
  /**
   * `aggregate`: find's `$slice`, `$elemMatch`, `$meta` and `a.$` are not available; all operators are
   * expressions.
   */
  dialect?: 'find' | 'aggregate';
}

/** The inputs of one application. */
interface Run {
  root: Doc;
  inclusive: boolean;
  vars: Record<string, Value>;
  arrayIndex: number | undefined;
}

const sliced = (values: Value[], skip: number, limit: number | undefined): Value[] => {
  if (limit === undefined) return skip < 0 ? values.slice(skip) : values.slice(0, skip);
  const start = skip < 0 ? Math.max(0, values.length + skip) : skip;
  return values.slice(start, start + limit);
};

const positioned = (value: Value, run: Run): Value => {
  if (!Array.isArray(value)) return value;
  const { arrayIndex } = run;
  if (arrayIndex === undefined) {
    throw new ServerError(51246, "positional operator '.$' couldn't find a matching element in the array");
  }
  return arrayIndex < value.length ? [value[arrayIndex]] : [];
};

/** Applies a leaf to an existing field. Undefined removes the field. */
const applyLeaf = (leaf: ProjectionLeaf, value: Value, run: Run): Value => {
  switch (leaf.kind) {
    case 'include':
      return value;
    case 'exclude':
      return undefined;
    case 'slice':
      return Array.isArray(value) ? sliced(value, leaf.skip, leaf.limit) : value;
    case 'elemMatch': {
      if (!Array.isArray(value)) return undefined;
      const found = value.find(leaf.test);
      return found === undefined ? undefined : [found];
    }
    case 'positional':
      return positioned(value, run);
    case 'compute':
      // Computed fields are added after the others, in a second pass.
      return undefined;
  }
};

const projectValue = (node: ProjectionNode, value: Value, run: Run): Value => {
  if (node.leaf) return applyLeaf(node.leaf, value, run);
  if (isDoc(value)) return projectDoc(node, value, run);
  if (!Array.isArray(value)) return run.inclusive ? undefined : value;
  const values = value.map((element) => projectValue(node, element, run));
  return run.inclusive ? values.filter((element) => element !== undefined) : values;
};

const projectDoc = (node: ProjectionNode, doc: Doc, run: Run): Doc => {
  const result = newDoc();
  for (const name of Object.keys(doc)) {
    const child = node.children.get(name);
    if (!child) {
      if (!run.inclusive) result[name] = doc[name];
      continue;
    }
    const value = projectValue(child, doc[name], run);
    if (value !== undefined) result[name] = value;
  }
  return result;
};

/** Adds the computed fields below `node` to a value of the projected document. */
const computeValue = (node: ProjectionNode, value: Value, run: Run): Value => {
  if (node.leaf) return node.leaf.kind === 'compute' ? node.leaf.evaluate(run.root, run.vars) : value;
  if (!node.computes) return value;
  if (Array.isArray(value)) return value.map((element) => computeValue(node, element, run));
  return computeDoc(node, isDoc(value) ? value : newDoc(), run);
};

const computeDoc = (node: ProjectionNode, doc: Doc, run: Run): Doc => {
  const result = newDoc();
  for (const name of Object.keys(doc)) result[name] = doc[name];
  let removed = false;
  for (const [name, child] of node.children) {
    if (!child.computes) continue;
    const before = getField(result, name);
    const after = computeValue(child, before === MISSING ? undefined : before, run);
    if (after !== undefined) result[name] = after;
    else if (before !== MISSING) {
      result[name] = undefined;
      removed = true;
    }
  }
  return removed ? withoutUndefined(result) : result;
};

const withoutUndefined = (doc: Doc): Doc => {
  const result = newDoc();
  for (const name of Object.keys(doc)) if (doc[name] !== undefined) result[name] = doc[name];
  return result;
};

/** Sets the computed fields of `$addFields` or of a projection. */
export const applyComputed = (node: ProjectionNode, doc: Doc, root: Doc, vars: Record<string, Value>): Doc =>
  node.computes ? computeDoc(node, doc, { root, inclusive: false, vars, arrayIndex: undefined }) : doc;

/**
 * Compiles a projection with inclusion or exclusion, `_id`, dotted paths, `$slice`, `$elemMatch`, `a.$`, and
 * computed fields. Malformed projections are rejected with MongoDB's codes (31249-31256, 31275, 31276 …).
 */
export const compileProjection = (
  spec: Doc,
  filter?: FilterNode,
  options: ProjectionOptions = {},
): Projection => {
  const parsed = parseProjection(spec, options);
  const vars: Record<string, Value> = { ...options.let };
  if (options.now) vars['NOW'] = options.now;
  const isNoop = Object.keys(spec).length === 0;
  const apply = (doc: Doc, arrayIndex?: number, more?: Record<string, Value>): Doc => {
    if (isNoop) return doc;
    const all = more ? { ...vars, ...more } : vars;
    const run: Run = { root: doc, inclusive: parsed.inclusive, vars: all, arrayIndex };
    const projected = projectDoc(parsed.root, doc, run);
    return parsed.root.computes ? computeDoc(parsed.root, projected, run) : projected;
  };
  const covered = parsed.coveredFields;
  return {
    apply,
    isNoop,
    needsPosition: parsed.needsPosition,
    ...(covered && filter?.kind !== 'expr' ? { coveredFields: covered } : {}),
  };
};
