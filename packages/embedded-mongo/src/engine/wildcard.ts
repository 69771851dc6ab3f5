import { isDoc, isNumeric, toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import type { IndexSpec } from './types.js';

/** The paths that a wildcard index covers. */
export interface WildcardPaths {
  /** Whether values at the path are indexed. */
  includes(path: string): boolean;
  /** Whether values at or below the path may be indexed. */
  enters(path: string): boolean;
}

const below = (path: string, root: string): boolean => path === root || path.startsWith(`${root}.`);

const flagsOf = (projection: Doc, prefix = ''): [string, boolean][] =>
  Object.entries(projection).flatMap(([name, value]) =>
    isDoc(value)
      ? flagsOf(value, `${prefix}${name}.`)
      : [[prefix + name, isNumeric(value) ? toNumber(value) !== 0 : value === true] as [string, boolean]],
  );

export const compileWildcard = (spec: IndexSpec): WildcardPaths => {
  const [field = '$**'] = Object.keys(spec.key);
  if (field !== '$**') {
    const root = field.slice(0, -'.$**'.length);
    return {
      includes: (path) => below(path, root),
      enters: (path) => below(path, root) || below(root, path),
    };
  }
  const flags = flagsOf(spec.wildcardProjection ?? {});
  const withId = flags.some(([path, taken]) => path === '_id' && taken);
  const others = flags.filter(([path]) => path !== '_id');
  const named = others.map(([path]) => path);
  const takesNamed = others[0]?.[1] ?? (flags.length > 0 && withId && others.length === 0);
  const idFits = (path: string): boolean => withId || !below(path, '_id');
  if (takesNamed && named.length > 0) {
    return {
      includes: (path) => (withId && below(path, '_id')) || named.some((root) => below(path, root)),
      enters: (path) =>
        (withId && below(path, '_id')) || named.some((root) => below(path, root) || below(root, path)),
    };
  }
  const includes = (path: string): boolean => idFits(path) && !named.some((root) => below(path, root));
  return { includes, enters: includes };
};

/** The path and value of every leaf that the index covers. Array elements have the path of their array. */
export const wildcardKeys = (
  paths: WildcardPaths,
  doc: Doc,
): { keys: [string, Value][]; multikey: boolean } => {
  const keys: [string, Value][] = [];
  let multikey = false;
  const take = (path: string, value: Value, inArray: boolean): void => {
    if (Array.isArray(value) && !inArray) {
      multikey = true;
      for (const element of value) take(path, element, true);
    } else if (isDoc(value)) visit(value, `${path}.`);
    else if (paths.includes(path)) keys.push([path, value]);
  };
  const visit = (inner: Doc, prefix: string): void => {
    for (const name of Object.keys(inner)) {
      const path = prefix + name;
      if (paths.enters(path)) take(path, inner[name], false);
    }
  };
  visit(doc, '');
  return { keys, multikey };
};
