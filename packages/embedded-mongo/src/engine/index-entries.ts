import { readField } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { encodeKey } from '../values/key.js';
import { indexKeyValues } from '../values/path.js';
import type { Index } from './index-definition.js';
import { compareBytes, concatKey, isCut, storedKey } from './key-layout.js';
import type { StoredDocument } from './stored-document.js';
import { wildcardKeys } from './wildcard.js';

export interface IndexEntry {
  /** The LMDB key without the record id. */
  key: Uint8Array;
  /** One value per indexed field. */
  values: Value[];
}

const NONE: IndexEntry[] = [];

/**
 * Computes a document's entries in an index. Updates the index's flags when it becomes multikey or a key must
 * be truncated.
 */
export const entriesOf = (index: Index, document: StoredDocument): IndexEntry[] => {
  if (index.simpleField !== undefined) {
    const value = readField(document.bytes, index.simpleField);
    if (value !== undefined && !Array.isArray(value)) return [entry(index, [value])];
  }
  const { doc } = document;
  if (index.partial && !index.partial.matches(doc)) return NONE;
  if (index.wildcard) {
    const { keys, multikey } = wildcardKeys(index.wildcard, doc);
    if (multikey) index.multikey = true;
    return distinct(keys.map((values) => entry(index, values)));
  }
  const { keys, multikey, allMissing } = indexKeyValues(doc, index.fields, { sparse: index.sparse });
  if (index.sparse && allMissing) return NONE;
  if (multikey) index.multikey = true;
  return distinct(keys.map((values) => entry(index, values)));
};

const entry = (index: Index, values: Value[]): IndexEntry => {
  const encoded = encodeKey(values, index.directions, index.collation);
  if (isCut(encoded)) index.cut = true;
  return { key: concatKey(index.prefix, storedKey(encoded)), values };
};

const distinct = (entries: IndexEntry[]): IndexEntry[] => {
  if (entries.length < 2) return entries;
  entries.sort((a, b) => compareBytes(a.key, b.key));
  return entries.filter((item, i) => i === 0 || compareBytes(item.key, entries[i - 1]!.key) !== 0);
};

/** Computes the entries to add and to remove when a document changes. */
export const entryChanges = (
  before: IndexEntry[],
  after: IndexEntry[],
): { added: IndexEntry[]; removed: IndexEntry[] } => {
  if (before.length === 0) return { added: after, removed: NONE };
  if (after.length === 0) return { added: NONE, removed: before };
  if (before.length === 1 && after.length === 1) {
    return compareBytes(before[0]!.key, after[0]!.key) === 0
      ? { added: NONE, removed: NONE }
      : { added: after, removed: before };
  }
  const has = (entries: IndexEntry[], item: IndexEntry) =>
    entries.some((other) => compareBytes(other.key, item.key) === 0);
  if (before.length * after.length <= 64) {
    return {
      added: after.filter((item) => !has(before, item)),
      removed: before.filter((item) => !has(after, item)),
    };
  }
  return sortedChanges(before, after);
};

/** Both lists are sorted by key. */
const sortedChanges = (before: IndexEntry[], after: IndexEntry[]) => {
  const added: IndexEntry[] = [];
  const removed: IndexEntry[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const old = before[i];
    const made = after[j];
    const order = !old ? 1 : !made ? -1 : compareBytes(old.key, made.key);
    if (order < 0) removed.push(before[i++]!);
    else if (order > 0) added.push(after[j++]!);
    else {
      i++;
      j++;
    }
  }
  return { added, removed };
};
