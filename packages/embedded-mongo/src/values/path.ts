import { ServerError } from './errors.js';
import { fieldName, pathKeys } from './names.js';
import { isDoc } from './types.js';
import type { Doc, Value } from './types.js';

export interface IndexKeys {
  /** One entry per key, each with one value per indexed field. */
  keys: Value[][];
  /** True if an indexed path contains an array. */
  multikey: boolean;
  /** True if the document has none of the indexed fields. A sparse index then omits it. */
  allMissing: boolean;
}

const parts = new Map<string, readonly string[]>();

/** The keys along a dotted path. The result is shared and must not be changed. */
export const splitPath = (path: string): readonly string[] => {
  let split = parts.get(path);
  if (!split) {
    split = pathKeys(path);
    if (parts.size > 5000) parts.clear();
    parts.set(path, split);
  }
  return split;
};

/** The array index that a path component represents, or -1. */
export const arrayIndexOf = (component: string): number => {
  const name = fieldName(component);
  return /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : -1;
};

/** Represents a missing field. */
export const MISSING: unique symbol = Symbol('missing');
export type Missing = typeof MISSING;
export type Candidate = Value | Missing;

/**
 * Called with each value at a path. `index` is the element of the outermost array expanded on the way, or -1.
 * Return true to stop.
 */
export type Visitor = (value: Candidate, index: number) => boolean;

/** A document's own field. Inherited properties are ignored. */
export const getField = (doc: Doc, name: string): Candidate => {
  const value = doc[name];
  // Plain objects inherit only functions and `__proto__`. Checking the value first is cheaper than checking
  // ownership.
  if (value !== undefined && typeof value !== 'function' && name !== '__proto__') return value;
  return Object.hasOwn(doc, name) ? value : MISSING;
};

const visitElements = (values: Value[], visit: Visitor, index: number): boolean => {
  for (let i = 0; i < values.length; i++) if (visit(values[i], index < 0 ? i : index)) return true;
  return visit(values, index);
};

const visitArray = (
  values: Value[],
  path: readonly string[],
  from: number,
  expandLeaf: boolean,
  visit: Visitor,
  index: number,
): boolean => {
  const wanted = arrayIndexOf(path[from] ?? '');
  for (let i = 0; i < values.length; i++) {
    const element = values[i];
    const outer = index < 0 ? i : index;
    if (isDoc(element) && visitDoc(element, path, from, expandLeaf, visit, outer)) return true;
    if (i !== wanted) continue;
    // The component is the index of this element, so the outer array is not expanded.
    if (from + 1 === path.length) {
      if (visit(element, index)) return true;
    } else if (isDoc(element)) {
      if (visitDoc(element, path, from + 1, expandLeaf, visit, index)) return true;
    } else if (Array.isArray(element)) {
      if (visitArray(element, path, from + 1, expandLeaf, visit, index)) return true;
    }
  }
  return false;
};

const visitDoc = (
  doc: Doc,
  path: readonly string[],
  from: number,
  expandLeaf: boolean,
  visit: Visitor,
  index: number,
): boolean => {
  const value = getField(doc, path[from] ?? '');
  if (from + 1 === path.length) {
    return expandLeaf && Array.isArray(value) ? visitElements(value, visit, index) : visit(value, index);
  }
  if (value === MISSING) return visit(MISSING, index);
  if (isDoc(value)) return visitDoc(value, path, from + 1, expandLeaf, visit, index);
  if (Array.isArray(value)) return visitArray(value, path, from + 1, expandLeaf, visit, index);
  return visit(MISSING, index);
};

/**
 * Calls `visit` with each value that a dotted path reaches in query semantics. Arrays along the path are
 * expanded, or indexed by a numeric component. With `expandLeaf`, a final array yields its elements and then
 * itself. Returns true if a visit returned true.
 */
export const visitPath = (doc: Doc, path: readonly string[], expandLeaf: boolean, visit: Visitor): boolean =>
  visitDoc(doc, path, 0, expandLeaf, visit, -1);

/**
 * All values at a dotted path. Arrays along the path are expanded, but not a final one. Missing values are
 * omitted.
 */
export const getPath = (doc: Doc, path: string): Value[] => {
  const values: Value[] = [];
  visitPath(doc, splitPath(path), false, (value) => {
    if (value !== MISSING) values.push(value);
    return false;
  });
  return values;
};

/**
 * The traversal state of an indexed field: `value` is the current value and `from` the next path component.
 */
interface Probe {
  path: readonly string[];
  from: number;
  value: Candidate;
}

/** Descends until the path ends, a value is missing, or the value is an array. */
const descend = ({ path, from, value }: Probe): Probe => {
  let at = from;
  let reached = value;
  for (; at < path.length; at++) {
    const component = path[at] ?? '';
    if (Array.isArray(reached)) {
      const index = arrayIndexOf(component);
      // The component is an index, unless some elements are documents with a field of that name.
      if (index < 0 || reached.some((element) => isDoc(element) && Object.hasOwn(element, component))) break;
      reached = index < reached.length ? reached[index] : MISSING;
    } else {
      reached = reached !== MISSING && isDoc(reached) ? getField(reached, component) : MISSING;
    }
    if (reached === MISSING) return { path, from: path.length, value: MISSING };
  }
  return { path, from: at, value: reached };
};

/** Continues with one element of the current array. Undefined stands for the element of an empty array. */
const enter = (probe: Probe, element: Value): Probe => {
  if (probe.from === probe.path.length) return { ...probe, value: element, path: [], from: 0 };
  return isDoc(element) ? { ...probe, value: element } : { path: [], from: 0, value: MISSING };
};

interface Expansion {
  fields: readonly string[];
  sparse: boolean;
  keys: Value[][];
  multikey: boolean;
  allMissing: boolean;
}

const addKey = (probes: Probe[], state: Expansion): void => {
  const missing = probes.every((probe) => probe.value === MISSING);
  if (!missing) state.allMissing = false;
  if (missing && state.sparse) return;
  state.keys.push(probes.map(({ value }) => (value === MISSING ? null : value)));
};

const expand = (probes: Probe[], settled: ReadonlySet<number>, state: Expansion): void => {
  const reached = probes.map((probe, i) => (settled.has(i) ? probe : descend(probe)));
  const blocked: number[] = [];
  reached.forEach((probe, i) => {
    if (!settled.has(i) && Array.isArray(probe.value)) blocked.push(i);
  });
  const [first, ...others] = blocked;
  const array = first === undefined ? undefined : reached[first]?.value;
  if (first === undefined || !Array.isArray(array)) return addKey(reached, state);
  const other = others.find((i) => reached[i]?.value !== array);
  if (other !== undefined) {
    throw new ServerError(
      'CannotIndexParallelArrays',
      `cannot index parallel arrays [${state.fields[other] ?? ''}] [${state.fields[first] ?? ''}]`,
    );
  }
  state.multikey = true;
  const next = new Set(reached.keys());
  for (const i of blocked) if ((reached[i]?.from ?? 0) < (reached[i]?.path.length ?? 0)) next.delete(i);
  for (const element of array.length === 0 ? [undefined] : array) {
    const entered = reached.map((probe, i) => (blocked.includes(i) ? enter(probe, element) : probe));
    expand(entered, next, state);
  }
};

const plainKey = (doc: Doc, fields: readonly string[]): Value[] | undefined => {
  const key: Value[] = [];
  for (const field of fields) {
    if (field.includes('.')) return undefined;
    const value = getField(doc, field);
    if (value === MISSING || Array.isArray(value)) return undefined;
    key.push(value);
  }
  return key;
};

/**
 * The keys of a document in an index on `fields`. A missing field yields null, an array one key per element,
 * and an empty array undefined. Keys may repeat. With `sparse`, keys whose fields are all missing are
 * omitted. Throws CannotIndexParallelArrays (171) if two fields contain different arrays.
 */
export const indexKeyValues = (
  doc: Doc,
  fields: readonly string[],
  options: { sparse?: boolean } = {},
): IndexKeys => {
  const plain = plainKey(doc, fields);
  if (plain) return { keys: [plain], multikey: false, allMissing: false };
  const state: Expansion = {
    fields,
    sparse: options.sparse ?? false,
    keys: [],
    multikey: false,
    allMissing: true,
  };
  const probes = fields.map((field): Probe => ({ path: splitPath(field), from: 0, value: doc }));
  expand(probes, new Set(), state);
  return { keys: state.keys, multikey: state.multikey, allMissing: state.allMissing };
};
