import { encode, fieldName, isDoc, type Doc, type Value } from '../values/bson.js';
import { identical } from '../values/compare.js';

/** Keys of documents, and numbers for places in arrays. */
export type FieldPath = readonly (string | number)[];

/** The difference that an update made. */
export interface UpdateDescription {
  updated: { path: FieldPath; value: Value }[];
  removed: FieldPath[];
  truncated: { path: FieldPath; newSize: number }[];
}

/** What MongoDB's log entry takes beside the difference itself, bytes. */
const ENTRY_BYTES = 15;
const EMPTY_BYTES = 5;

/**
 * The difference of two documents, found by comparison as MongoDB does for an update by a pipeline. Where a
 * description of the parts would be no smaller than the whole, the whole is given; for the document itself
 * that is undefined.
 */
export function diffDocuments(before: Doc, after: Doc): UpdateDescription | undefined {
  const found = documentDiff(before, after, []);
  return found.bytes + ENTRY_BYTES < sizeOf(after) ? found : undefined;
}

/** With the size of the BSON by which MongoDB's log would describe it. */
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

/** The difference within a value, where telling it is worth while. */
function innerDiff(before: Value, after: Value, path: FieldPath): Diff | undefined {
  let diff: Diff;
  if (Array.isArray(before) && Array.isArray(after)) diff = arrayDiff(before, after, path);
  else if (isDoc(before) && isDoc(after)) diff = documentDiff(before, after, path);
  else return undefined;
  const whole = elementBytes('', after) - 2;
  return diff.bytes < whole ? diff : undefined;
}

function arrayDiff(before: Value[], after: Value[], path: FieldPath): Diff {
  // `a: true` marks the difference of an array, `l` its new length.
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
