import type { Timestamp } from 'bson';
import type { Doc } from '../values/bson.js';
import type { Collation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import type { Candidate } from '../values/path.js';
import { comparePathNames, parseUpdatePath, textOfPart } from './path.js';

/** What operators can read of the document that is being updated. */
export interface ChangeContext {
  /** The document before the update. */
  readonly original: Doc;
  readonly isInsert: boolean;
  readonly arrayIndex: number | undefined;
  readonly collation: Collation | undefined;
  readonly now: () => Date;
  readonly timestamp: () => Timestamp;
}

/** The operation of one operator on one field. */
export interface FieldOperation {
  readonly operator: string;
  /** False for operators that have no effect if the path does not exist (`$unset`, `$pull` …). */
  readonly creates: boolean;
  /** `$pop` creates nothing, but fails if the path could not be created. */
  readonly needsViablePath?: boolean;
  /**
   * Returns the new value, MISSING to remove the field, or `current` itself for no change. `path` is the
   * field's full path.
   */
  apply(current: Candidate, path: string, context: ChangeContext): Candidate;
}

/** Operations by path. A node has either an operation or children. */
export interface UpdateNode {
  operation?: FieldOperation;
  children: Map<string, UpdateNode>;
  /** The dotted path up to this node, as given. */
  path: string;
  /** True if an operation in this subtree creates fields. */
  creates: boolean;
  /** True if an operation in this subtree requires that its path could be created. */
  needsViablePath?: boolean;
}

export const newUpdateNode = (path = ''): UpdateNode => ({ children: new Map(), path, creates: false });

export const conflict = (path: string, at: string): ServerError =>
  new ServerError(
    'ConflictingUpdateOperators',
    `Updating the path '${path}' would create a conflict at '${at}'`,
  );

/**
 * Adds an operation. Throws a conflict (40) if another operation has the same path, or one above or below it.
 */
export const addOperation = (root: UpdateNode, path: string, operation: FieldOperation): void => {
  const parts = parseUpdatePath(path);
  let node = root;
  const taken: string[] = [];
  for (const part of parts) {
    const name = textOfPart(part);
    taken.push(name);
    if (operation.creates) node.creates = true;
    if (operation.needsViablePath) node.needsViablePath = true;
    let child = node.children.get(name);
    if (!child) {
      child = newUpdateNode(taken.join('.'));
      node.children.set(name, child);
    } else if (child.operation) {
      throw conflict(path, taken.join('.'));
    }
    node = child;
  }
  if (node.children.size > 0) throw conflict(path, path);
  node.operation = operation;
  node.creates = operation.creates;
  if (operation.needsViablePath) node.needsViablePath = true;
};

/** Sorts children in the order in which they are applied. */
export const sortChildren = (node: UpdateNode): void => {
  if (node.children.size > 1) {
    node.children = new Map([...node.children].sort(([a], [b]) => comparePathNames(a, b)));
  }
  for (const child of node.children.values()) sortChildren(child);
};

/** Merges the operations that several array components (`$[]`, `$[id]`, an index) apply to one element. */
export const mergeNodes = (nodes: UpdateNode[], path: string): UpdateNode | undefined => {
  const [first, ...others] = nodes;
  if (!first || others.length === 0) return first;
  const merged = newUpdateNode(path);
  const groups = new Map<string, UpdateNode[]>();
  for (const node of nodes) {
    if (node.operation) throw conflict(node.path, path);
    merged.creates ||= node.creates;
    if (node.needsViablePath) merged.needsViablePath = true;
    for (const [name, child] of node.children) groups.set(name, [...(groups.get(name) ?? []), child]);
  }
  for (const [name, group] of groups) {
    const child = mergeNodes(group, `${path}.${name}`);
    if (child) merged.children.set(name, child);
  }
  sortChildren(merged);
  return merged;
};
