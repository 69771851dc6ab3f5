import { encode, fieldName, isDoc, type Doc, type Value } from '../values/bson.js';
import { identical } from '../values/compare.js';

/** Field names, and numbers for array indexes. */
export type FieldPath = readonly (string | number)[];

/** The changes made by an update. */
export interface UpdateDescription {
  updated: { path: FieldPath; value: Value }[];
  removed: FieldPath[];
  truncated: { path: FieldPath; newSize: number }[];
}

/** Bytes of MongoDB's log entry besides the diff itself. */
const ENTRY_BYTES = 15;
const EMPTY_BYTES = 5;

/**
 * Computes the difference of two documents by comparison, as MongoDB does for updates with a pipeline. A
 * nested value is replaced as a whole when its diff would not be smaller. If this applies to the document
 * itself, returns undefined.
 */
export function diffDocuments(before: Doc, after: Doc): UpdateDescription | undefined {
  const found = documentDiff(before, after, []);
  return found.bytes + ENTRY_BYTES < sizeOf(after) ? found : undefined;
}

/** A diff with the size of its BSON in MongoDB's log format. */
interface Diff extends UpdateDescription {
  bytes: number;
}

const sizeOf = (doc: Doc): number => encode(doc).length;

/** Bytes of one element: type, name, terminator, value. */
const elementBytes = (name: string | number, value: Value): number =>
  encode({ [String(name)]: value }).length - EMPTY_BYTES;

export const same = (a: Value, b: Value): boolean =>
  a === b || (a !== undefined && b !== undefined && identical(a, b));

function documentDiff(before: Doc, after: Doc, path: FieldPath): Diff {
  const diff: Diff = { updated: [], removed: [], truncated: [], bytes: EMPTY_BYTES };
  const sections = new Set<string>();
  const entry = (section: string, bytes: number): void => {
    if (!sections.has(section)) diff.bytes += 3 + EMPTY_BYTES;
    sections.add(section);
    diff.bytes += bytes;
  };
  for (const key of Object.keys(before)) {
    if (Object.hasOwn(after, key)) continue;
    const name = fieldName(key);
    diff.removed.push([...path, name]);
    entry('d', elementBytes(name, false));
  }
  for (const key of Object.keys(after)) {
    const name = fieldName(key);
    const value = after[key];
    const old = before[key];
    if (!Object.hasOwn(before, key)) {
      diff.updated.push({ path: [...path, name], value });
      entry('i', elementBytes(name, value));
    } else if (!same(old, value)) {
      const inner = innerDiff(old, value, [...path, name]);
      if (inner) addInner(diff, inner, name);
      else {
        diff.updated.push({ path: [...path, name], value });
        entry('u', elementBytes(name, value));
      }
    }
  }
  return diff;
}

function addInner(diff: Diff, inner: Diff, name: string | number): void {
  diff.updated.push(...inner.updated);
  diff.removed.push(...inner.removed);
  diff.truncated.push(...inner.truncated);
  diff.bytes += 2 + Buffer.byteLength(`s${typeof name === 'number' ? name : fieldName(name)}`) + inner.bytes;
}

/** The diff within a nested value, if a diff can be smaller than the value. */
function innerDiff(before: Value, after: Value, path: FieldPath): Diff | undefined {
  let diff: Diff;
  if (Array.isArray(before) && Array.isArray(after)) diff = arrayDiff(before, after, path);
  else if (isDoc(before) && isDoc(after)) diff = documentDiff(before, after, path);
  else return undefined;
  const whole = elementBytes('', after) - 2;
  return diff.bytes < whole ? diff : undefined;
}

function arrayDiff(before: Value[], after: Value[], path: FieldPath): Diff {
  // In MongoDB's format, `a: true` marks an array diff and `l` its new length.
  const diff: Diff = { updated: [], removed: [], truncated: [], bytes: EMPTY_BYTES + 4 };
  if (after.length < before.length) {
    diff.truncated.push({ path, newSize: after.length });
    diff.bytes += 7;
  }
  after.forEach((value, at) => {
    if (at < before.length && same(before[at], value)) return;
    const inner = at < before.length ? innerDiff(before[at], value, [...path, at]) : undefined;
    if (inner) addInner(diff, inner, at);
    else {
      diff.updated.push({ path: [...path, at], value });
      diff.bytes += elementBytes(`u${at}`, value);
    }
  });
  return diff;
}
