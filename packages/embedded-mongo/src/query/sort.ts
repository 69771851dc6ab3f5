import { formatValue, isDoc, isNumeric, toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import type { Collation } from '../values/compare.js';
import { ServerError, unsupported } from '../values/errors.js';
import { getField, indexKeyValues, MISSING } from '../values/path.js';

export interface SortField {
  path: string;
  direction: 1 | -1;
}

export interface Sort {
  readonly fields: readonly SortField[];
  compare(a: Doc, b: Doc): number;
  /** The values by which a document is sorted, for use with `compareKeys`. Extract them once per document. */
  sortKey(doc: Doc): Value[];
  compareKeys(a: readonly Value[], b: readonly Value[]): number;
}

const directionOf = (path: string, value: Value): 1 | -1 => {
  if (isDoc(value)) {
    throw new ServerError(15974, `Illegal key in $sort specification: ${path}: ${formatValue(value)}`);
  }
  if (!isNumeric(value)) {
    throw new ServerError(15974, `Illegal key in $sort specification: ${path}: ${formatValue(value)}`);
  }
  const number = Math.trunc(toNumber(value));
  if (number !== 1 && number !== -1) {
    throw new ServerError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
  }
  return number;
};

const checkPath = (path: string): void => {
  if (path === '') throw new ServerError(15976, 'FieldPath cannot be constructed with empty string');
  if (path.startsWith('.') || path.endsWith('.') || path.includes('..')) {
    throw new ServerError(15998, 'FieldPath field names may not be empty strings.');
  }
  if (path.startsWith('$')) {
    throw new ServerError(
      16410,
      `FieldPath field names may not start with '$'. Consider using $getField or $setField.`,
    );
  }
};

/** Parses a sort specification. Throws Location15974 to 15976 if it is malformed. */
export const parseSort = (spec: Doc): SortField[] =>
  Object.keys(spec).map((path) => {
    const value = spec[path];
    if (isDoc(value) && value['$meta'] !== undefined) throw unsupported('$meta');
    checkPath(path);
    return { path, direction: directionOf(path, value) };
  });

const keyOfPlainFields = (doc: Doc, fields: readonly SortField[]): Value[] | undefined => {
  const key: Value[] = [];
  for (const { path } of fields) {
    if (path.includes('.')) return undefined;
    const value = getField(doc, path);
    if (Array.isArray(value)) return undefined;
    key.push(value === MISSING ? null : value);
  }
  return key;
};

const expandedKeys = (doc: Doc, paths: readonly string[]): Value[][] => {
  try {
    return indexKeyValues(doc, paths).keys;
  } catch (error) {
    if (!(error instanceof ServerError) || error.codeName !== 'CannotIndexParallelArrays') throw error;
    throw new ServerError('BadValue', 'cannot sort with keys that are parallel arrays');
  }
};

/**
 * Compiles a sort. An array sorts by its lowest element in ascending order and by its highest in descending
 * order. A missing field sorts as null, and an empty array before null. For a compound sort with arrays, the
 * document's first index key decides, as in MongoDB.
 */
export const compileSort = (spec: Doc, collation?: Collation): Sort => {
  const fields = parseSort(spec);
  const paths = fields.map((field) => field.path);
  const compareKeys = (a: readonly Value[], b: readonly Value[]): number => {
    for (let i = 0; i < fields.length; i++) {
      const result = compareValues(a[i], b[i], collation);
      if (result !== 0) return fields[i]?.direction === -1 ? -result : result;
    }
    return 0;
  };
  const sortKey = (doc: Doc): Value[] => {
    const plain = keyOfPlainFields(doc, fields);
    if (plain) return plain;
    const keys = expandedKeys(doc, paths);
    return keys.reduce((best, key) => (compareKeys(key, best) < 0 ? key : best), keys[0] ?? []);
  };
  return { fields, sortKey, compareKeys, compare: (a, b) => compareKeys(sortKey(a), sortKey(b)) };
};
