import { fieldKey, formatElement, isDoc, newDoc } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { arrayIndexOf, getField, MISSING } from '../values/path.js';
import type { Candidate } from '../values/path.js';
import type { ElementTest } from './array-filters.js';
import { mergeNodes } from './tree.js';
import type { ChangeContext, UpdateNode } from './tree.js';

/** MongoDB's limit on the number of nulls that one update may insert before a new array element. */
const MAX_PADDING = 1_500_000;

export interface Application extends ChangeContext {
  readonly filters: ReadonlyMap<string, ElementTest>;
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** A document that is copied on its first change. */
class DocCopy {
  private copy: Doc | undefined;
  private removed = false;

  constructor(private readonly original: Doc) {}

  set(name: string, value: Candidate): void {
    this.copy ??= Object.assign(newDoc(), this.original);
    if (value === MISSING) this.removed = true;
    this.copy[name] = value === MISSING ? undefined : value;
    if (value === MISSING) this.gone.add(name);
    else this.gone.delete(name);
  }

  private readonly gone = new Set<string>();

  result(): Doc {
    if (!this.copy) return this.original;
    if (!this.removed) return this.copy;
    const doc = newDoc();
    for (const name of Object.keys(this.copy)) if (!this.gone.has(name)) doc[name] = this.copy[name];
    return doc;
  }
}

const positionName = (context: Application): string => {
  if (context.arrayIndex === undefined) {
    throw new ServerError(
      'BadValue',
      'The positional operator did not find the match needed from the query.',
    );
  }
  return fieldKey(String(context.arrayIndex));
};

/** The children by field name. `$` is replaced by the index of the element that the filter matched. */
const namedChildren = (
  node: UpdateNode,
  path: string,
  context: Application,
): ReadonlyMap<string, UpdateNode> => {
  const positional = node.children.get('$');
  if (!positional) return node.children;
  const name = positionName(context);
  const named = new Map([...node.children].filter(([key]) => key !== '$'));
  const merged = mergeNodes(
    [...(named.has(name) ? [named.get(name) ?? positional] : []), positional],
    join(path, name),
  );
  if (merged) named.set(name, merged);
  return named;
};

const isArrayPart = (name: string): boolean => name.startsWith('$[') && name.endsWith(']');

const lastName = (path: string): string => path.slice(path.lastIndexOf('.') + 1);

const changeDoc = (node: UpdateNode, doc: Doc, path: string, context: Application): Doc => {
  const copy = new DocCopy(doc);
  for (const [name, child] of namedChildren(node, path, context)) {
    if (isArrayPart(name)) throw notAnArray(path, doc);
    const current = getField(doc, name);
    const next = changeValue(child, current, join(path, name), context);
    if (next !== current) copy.set(name, next);
  }
  return copy.result();
};

const notAnArray = (path: string, value: Candidate): ServerError =>
  value === MISSING
    ? new ServerError(
        'BadValue',
        `The path '${path}' must exist in the document in order to apply array updates.`,
      )
    : new ServerError(
        'BadValue',
        `Cannot apply array updates to non-array element ${formatElement(lastName(path), value).slice(1, -1)}`,
      );

const setElement = (values: Value[], index: number, value: Candidate): void => {
  if (value === MISSING) {
    values[index] = null;
    return;
  }
  if (index - values.length > MAX_PADDING) {
    throw new ServerError(64, `can't backfill more than ${MAX_PADDING} elements`, {
      codeName: 'CannotBackfillArray',
    });
  }
  while (values.length < index) values.push(null);
  values[index] = value;
};

/** The nodes that apply to each element selected by `$[]`, `$[id]` or an index. */
const nodesByElement = (
  children: ReadonlyMap<string, UpdateNode>,
  values: Value[],
  path: string,
  context: Application,
): Map<number, UpdateNode[]> => {
  const selected = new Map<number, UpdateNode[]>();
  const select = (index: number, node: UpdateNode): unknown =>
    selected.set(index, [...(selected.get(index) ?? []), node]);
  for (const [name, child] of children) {
    if (isArrayPart(name)) {
      const test = name === '$[]' ? (): boolean => true : context.filters.get(name.slice(2, -1));
      values.forEach((value, index) => {
        if (test?.(value)) select(index, child);
      });
      continue;
    }
    const index = arrayIndexOf(name);
    if (index >= 0) select(index, child);
    else if (child.creates) throw cannotCreate(name, path, values);
    else if (child.needsViablePath) throw cannotTraverse(child, path, values);
  }
  return selected;
};

const cannotCreate = (name: string, path: string, value: Value): ServerError =>
  new ServerError(
    'PathNotViable',
    `Cannot create field '${name}' in element ${formatElement(lastName(path), value)}`,
  );

const cannotTraverse = (child: UpdateNode, path: string, value: Value): ServerError =>
  new ServerError(
    'PathNotViable',
    `Cannot use the part (${lastName(child.path)}) of (${child.path}) to traverse the element (${formatElement(lastName(path), value)})`,
  );

const changeArray = (node: UpdateNode, values: Value[], path: string, context: Application): Value[] => {
  const selected = nodesByElement(namedChildren(node, path, context), values, path, context);
  let copy: Value[] | undefined;
  for (const index of [...selected.keys()].sort((a, b) => a - b)) {
    const elementPath = join(path, String(index));
    const child = mergeNodes(selected.get(index) ?? [], elementPath);
    if (!child) continue;
    const current: Candidate = index < values.length ? values[index] : MISSING;
    const next = changeValue(child, current, elementPath, context);
    if (next === current) continue;
    copy ??= [...values];
    setElement(copy, index, next);
  }
  return copy ?? values;
};

const createDoc = (node: UpdateNode, path: string, context: Application): Candidate => {
  if ([...node.children.keys()].some(isArrayPart)) throw notAnArray(path, MISSING);
  if (!node.creates) return MISSING;
  const made = changeDoc(node, newDoc(), path, context);
  // Operators such as $setOnInsert may create no fields.
  return Object.keys(made).length === 0 ? MISSING : made;
};

const changeValue = (node: UpdateNode, current: Candidate, path: string, context: Application): Candidate => {
  if (node.operation) return node.operation.apply(current, path, context);
  if (current === MISSING) return createDoc(node, path, context);
  if (isDoc(current)) return changeDoc(node, current, path, context);
  if (Array.isArray(current)) return changeArray(node, current, path, context);
  const names = [...node.children.keys()];
  if (names.some(isArrayPart)) throw notAnArray(path, current);
  const creating = [...node.children].find(([, child]) => child.creates);
  if (!creating) {
    const demanding = [...node.children.values()].find((child) => child.needsViablePath);
    if (demanding) throw cannotTraverse(demanding, path, current);
    return current;
  }
  throw cannotCreate(creating[0] === '$' ? positionName(context) : creating[0], path, current);
};

/** Applies a tree of operations. The result shares unchanged parts with the original document. */
export const applyTree = (root: UpdateNode, doc: Doc, context: Application): Doc =>
  changeDoc(root, doc, '', context);
