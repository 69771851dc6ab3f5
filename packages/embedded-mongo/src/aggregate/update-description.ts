import type { TouchedPaths } from '../update/touched.js';
import { fieldKey, fieldName, int, isDoc, newDoc, pathKeys, type Doc, type Value } from '../values/bson.js';
import { diffDocuments, same, type FieldPath, type UpdateDescription } from './document-diff.js';

/**
 * Describes what an update changed. Updates with operators are described by the paths that these name.
 * Updates with a pipeline (`touched` undefined) are described by comparison. Returns undefined if the
 * description would be larger than the new document, because such an update counts as a replacement.
 */
export function describeUpdate(
  before: Doc,
  after: Doc,
  touched: TouchedPaths | undefined,
): UpdateDescription | undefined {
  if (!touched) return diffDocuments(before, after);
  const walk = new PathWalk();
  for (const path of [...touched.paths].sort()) walk.visit(before, after, pathKeys(path), false);
  for (const path of [...touched.appended].sort()) walk.visit(before, after, pathKeys(path), true);
  return walk.description;
}

const isPosition = (name: string): boolean => /^\d+$/.test(name);

const childOf = (value: Value, part: string | number): Value => {
  if (Array.isArray(value)) return value[Number(part)];
  const key = fieldKey(String(part));
  return isDoc(value) && Object.hasOwn(value, key) ? value[key] : undefined;
};

/** Follows operator paths through the old and new document to the point where these differ. */
class PathWalk {
  readonly description: UpdateDescription = { updated: [], removed: [], truncated: [] };
  private readonly seen = new Set<string>();

  visit(before: Value, after: Value, parts: readonly string[], appends: boolean, path: FieldPath = []): void {
    if (same(before, after)) return;
    const part = parts[path.length];
    if (part === undefined) this.leaf(before, after, path, appends);
    else if (part.startsWith('$')) {
      const length = Math.max(arrayLength(before), arrayLength(after));
      for (let i = 0; i < length; i++) this.child(before, after, parts, appends, [...path, i]);
    } else {
      const name = fieldName(part);
      const inArray = Array.isArray(after) && isPosition(name);
      this.child(before, after, parts, appends, [...path, inArray ? Number(name) : part]);
    }
  }

  private child(
    before: Value,
    after: Value,
    parts: readonly string[],
    appends: boolean,
    path: FieldPath,
  ): void {
    const part = path.at(-1)!;
    const old = childOf(before, part);
    const now = childOf(after, part);
    if (now === undefined) {
      if (old !== undefined) this.remove(path);
    } else if (old === undefined) this.set(path, now);
    else this.visit(old, now, parts, appends, path);
  }

  private leaf(before: Value, after: Value, path: FieldPath, appends: boolean): void {
    if (appends && Array.isArray(before) && Array.isArray(after) && isPrefix(before, after)) {
      for (let i = before.length; i < after.length; i++) this.set([...path, i], after[i]);
    } else this.set(path, after);
  }

  private set(path: FieldPath, value: Value): void {
    if (this.isNew(path)) this.description.updated.push({ path, value });
  }

  private remove(path: FieldPath): void {
    if (this.isNew(path)) this.description.removed.push(path);
  }

  private isNew(path: FieldPath): boolean {
    const text = path.join('.');
    if (this.seen.has(text)) return false;
    this.seen.add(text);
    return true;
  }
}

const arrayLength = (value: Value): number => (Array.isArray(value) ? value.length : 0);

const isPrefix = (before: Value[], after: Value[]): boolean =>
  before.length < after.length && before.every((value, at) => same(value, after[at]));

/** `updateDescription` as shown in events. `expanded`: includes `disambiguatedPaths`. */
export function updateDescriptionDoc(description: UpdateDescription, expanded: boolean): Doc {
  const updatedFields = newDoc();
  const disambiguatedPaths = newDoc();
  const named = (path: FieldPath): string => {
    const names = path.map((part) => (typeof part === 'number' ? part : fieldName(part)));
    const text = names.join('.');
    if (names.some(isAmbiguous)) {
      disambiguatedPaths[fieldKey(text)] = names.map((part) => (typeof part === 'number' ? int(part) : part));
    }
    return text;
  };
  for (const { path, value } of description.updated) updatedFields[fieldKey(named(path))] = value;
  const doc: Doc = {
    updatedFields,
    removedFields: description.removed.map(named),
    truncatedArrays: description.truncated.map(({ path, newSize }) => ({
      field: named(path),
      newSize: int(newSize),
    })),
  };
  if (expanded) doc['disambiguatedPaths'] = disambiguatedPaths;
  return doc;
}

/** Whether a field name could be mistaken for an array index or a path. */
const isAmbiguous = (part: string | number): boolean =>
  typeof part === 'string' && (isPosition(part) || part.includes('.'));
