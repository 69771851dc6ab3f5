import { isDoc, long, newDoc, pathKeys, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { StageBuilder } from './context.js';
import { flatMapping } from './stream.js';

interface UnwindSpec {
  path: string;
  indexField: string | undefined;
  keepEmpty: boolean;
}

function parse(spec: Value): UnwindSpec {
  const options: Doc = typeof spec === 'string' ? { path: spec } : isDoc(spec) ? spec : {};
  const { path, includeArrayIndex, preserveNullAndEmptyArrays } = options;
  if (typeof path !== 'string') throw new ServerError(28812, 'no path specified to $unwind stage');
  if (!path.startsWith('$')) {
    throw new ServerError(28818, `path option to $unwind stage should be prefixed with a '$': ${path}`);
  }
  if (
    includeArrayIndex !== undefined &&
    (typeof includeArrayIndex !== 'string' || includeArrayIndex === '')
  ) {
    throw new ServerError(
      28810,
      'expected a non-empty string for the includeArrayIndex option to $unwind stage',
    );
  }
  if (preserveNullAndEmptyArrays !== undefined && typeof preserveNullAndEmptyArrays !== 'boolean') {
    throw new ServerError(
      28809,
      'expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage',
    );
  }
  return {
    path: path.slice(1),
    indexField: includeArrayIndex,
    keepEmpty: preserveNullAndEmptyArrays ?? false,
  };
}

/** The value at a path through documents. Does not descend into arrays. */
export function fieldAt(doc: Doc, names: readonly string[]): Value {
  let value: Value = doc;
  for (const name of names) {
    if (!isDoc(value)) return undefined;
    value = value[name];
  }
  return value;
}

/** A copy of `doc` with another value at a path, or without that field if `value` is undefined. */
export function withPath(doc: Doc, names: readonly string[], value: Value): Doc {
  const copy = Object.assign(newDoc(), doc);
  const [name = '', ...rest] = names;
  if (rest.length > 0) {
    const inner = copy[name];
    copy[name] = withPath(isDoc(inner) ? inner : newDoc(), rest, value);
  } else if (value === undefined) {
    delete copy[name];
  } else {
    copy[name] = value;
  }
  return copy;
}

export const unwind: StageBuilder = (spec) => {
  const { path, indexField, keepEmpty } = parse(spec);
  const names = pathKeys(path);
  const indexNames = indexField === undefined ? undefined : pathKeys(indexField);
  const indexed = (doc: Doc, index: number | null): Doc =>
    indexNames ? withPath(doc, indexNames, index === null ? null : long(index)) : doc;
  return flatMapping((doc, out) => {
    const value = fieldAt(doc, names);
    if (Array.isArray(value) && value.length > 0) {
      value.forEach((item, index) => out.push(indexed(withPath(doc, names, item), index)));
    } else if (Array.isArray(value)) {
      if (keepEmpty) out.push(indexed(withPath(doc, names, undefined), null));
    } else if (value === null || value === undefined) {
      if (keepEmpty) out.push(indexed(doc, null));
    } else {
      out.push(indexed(doc, null));
    }
  });
};
