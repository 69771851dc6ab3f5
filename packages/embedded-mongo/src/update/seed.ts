import { isDoc, newDoc, pathKeys } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { parseFilter } from '../query/parse.js';
import type { FilterNode } from '../query/ast.js';
import { getField, MISSING } from '../values/path.js';

const collect = (node: FilterNode, found: [string, Value][]): void => {
  if (node.kind === 'and') for (const child of node.children) collect(child, found);
  else if (node.kind === 'or' && node.children.length === 1 && node.children[0])
    collect(node.children[0], found);
  else if (node.kind === 'field' && node.op === 'eq') found.push([node.path, node.value]);
  else if (
    node.kind === 'field' &&
    node.op === 'in' &&
    node.values.length === 1 &&
    node.regexes.length === 0
  ) {
    found.push([node.path, node.values[0]]);
  }
};

const twice = (path: string): ServerError =>
  new ServerError('NotSingleValueField', `cannot infer query fields to set, path '${path}' is matched twice`);

const put = (doc: Doc, path: string, value: Value): void => {
  const names = pathKeys(path);
  let target = doc;
  names.slice(0, -1).forEach((name, i) => {
    const next = getField(target, name);
    if (next === MISSING) target = target[name] = newDoc();
    else if (isDoc(next) && made.has(next)) target = next;
    else throw twice(names.slice(0, i + 1).join('.'));
    made.add(target);
  });
  const last = names.at(-1) ?? '';
  if (getField(target, last) !== MISSING) throw twice(path);
  target[last] = value;
};

/** Intermediate documents created by `put`, as opposed to values from the filter. */
const made = new WeakSet<Doc>();

/**
 * Creates the document that an upsert starts from. It contains the equality conditions that every match must
 * satisfy, `_id` first. Throws NotSingleValueField (54) if the same field occurs twice.
 */
export const seedFromFilter = (filter: Doc): Doc => {
  const found: [string, Value][] = [];
  collect(parseFilter(filter), found);
  const doc = newDoc();
  const id = found.filter(([path]) => path === '_id');
  for (const [path, value] of [...id, ...found.filter(([path]) => path !== '_id')]) put(doc, path, value);
  return doc;
};
