import { formatElement, isDoc, pathKeys } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { getField, MISSING } from '../values/path.js';
import type { Candidate } from '../values/path.js';
import { formatValue } from '../values/format.js';
import { addOperation } from './tree.js';
import type { UpdateNode } from './tree.js';

const bad = (message: string): ServerError => new ServerError('BadValue', message);

/** The value at a path through documents. Throws if the path contains an array. */
const lookUp = (doc: Doc, path: string, role: string): Candidate => {
  let value: Candidate = doc;
  const names = pathKeys(path);
  for (const [i, name] of names.entries()) {
    if (Array.isArray(value)) {
      throw bad(
        `The ${role} field cannot be an array element, '${path}' in doc with _id: ${formatValue(doc['_id'])} has an array field called '${names[i - 1] ?? ''}'`,
      );
    }
    if (value === MISSING || !isDoc(value)) return MISSING;
    value = getField(value, name);
  }
  return value;
};

const checkPaths = (from: string, to: Value): string => {
  if (typeof to !== 'string')
    throw bad(`The 'to' field for $rename must be a string: ${formatElement(from, to).slice(1, -1)}`);
  if (to.includes('\0')) throw bad("The 'to' field for $rename cannot contain an embedded null byte");
  if (from === to) throw bad(`The source and target field for $rename must differ: ${from}: "${to}"`);
  const dynamic = /(^|\.)\$(\[.*?\])?(\.|$)/;
  if (dynamic.test(from)) throw bad(`The source field for $rename may not be dynamic: ${from}`);
  if (dynamic.test(to)) throw bad(`The destination field for $rename may not be dynamic: ${to}`);
  return to;
};

/** Adds both operations of a `$rename`: setting the target and removing the source. */
export const addRename = (root: UpdateNode, from: string, argument: Value): void => {
  const to = checkPaths(from, argument);
  addOperation(root, from, {
    operator: '$rename',
    creates: false,
    apply: () => MISSING,
  });
  addOperation(root, to, {
    operator: '$rename',
    creates: true,
    apply: (current, _path, context) => {
      const moved = lookUp(context.original, from, 'source');
      if (moved === MISSING) return current;
      lookUp(context.original, to, 'destination');
      return moved;
    },
  });
};
