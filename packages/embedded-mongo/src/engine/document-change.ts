import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { formatValue } from '../values/format.js';
import type { TouchedPaths } from '../update/touched.js';
import type { Collection } from './catalog.js';
import { newChange } from './change-log.js';
import type { Index } from './index-definition.js';
import { entriesOf, entryChanges } from './index-entries.js';
import type { IndexEntry } from './index-entries.js';
import {
  documentKey,
  documentPrefix,
  EMPTY,
  prefixEnd,
  readU64,
  recordIdOfDocumentKey,
  u64,
  withRecordId,
} from './key-layout.js';
import { StoredDocument } from './stored-document.js';
import type { Writer } from './writer.js';

export interface DocumentChange {
  recordId: number;
  before?: StoredDocument;
  after?: StoredDocument;
  /** How an existing document was changed. Describes the change to change streams. */
  by?: ChangedBy;
}

/** `touched`: the paths named by an update with operators. */
export interface ChangedBy {
  kind: 'update' | 'replace';
  touched: TouchedPaths | undefined;
}

interface IndexChange {
  index: Index;
  added: IndexEntry[];
  removed: IndexEntry[];
}

/**
 * Inserts, replaces or removes one document and its index entries. Everything that can fail (index keys,
 * claims, unique checks) runs first, so nothing has been written if this throws.
 */
export const applyChange = (writer: Writer, collection: Collection, change: DocumentChange): void => {
  const { recordId, before, after } = change;
  const key = documentKey(collection.id, recordId);
  if (before) writer.claim(key);
  const changes = indexChanges(collection, change);
  for (const item of changes) if (item.index.unique) checkUnique(writer, collection, item, recordId);

  for (const { index, added, removed } of changes) {
    for (const entry of removed) writer.remove(index.unique ? entry.key : withRecordId(entry.key, recordId));
    for (const entry of added) {
      if (index.unique) writer.put(entry.key, u64(recordId));
      else writer.put(withRecordId(entry.key, recordId), EMPTY);
    }
    if (index.flagsUnsaved) writer.saveRow(collection);
  }
  if (after) writer.put(key, after.bytes);
  else writer.remove(key);
  writer.count(
    collection,
    (after ? 1 : 0) - (before ? 1 : 0),
    (after?.bytes.length ?? 0) - (before?.bytes.length ?? 0),
  );
  const kind = !before ? 'insert' : after ? (change.by?.kind ?? 'replace') : 'delete';
  writer.note(
    newChange(kind, collection.ns, {
      uuid: collection.uuid,
      before: before?.bytes,
      after: after?.bytes,
      images: collection.traits.images ?? false,
      touched: change.by?.touched,
    }),
  );
  if (!before && collection.traits.capped) trimCapped(writer, collection, recordId);
};

/**
 * Maximum number of documents that one insert removes. After a limit is lowered, several inserts share the
 * work.
 */
const TRIM_AT_ONCE = 500;

/**
 * Removes the oldest documents of a capped collection, in the same commit, until it is within its limits.
 * `kept`, the newest document, stays regardless of its size. Returns false if more documents must be removed.
 * Transactions cannot claim keys of a capped collection, so the removals cannot fail.
 */
export const trimCapped = (writer: Writer, collection: Collection, kept?: number): boolean => {
  const { capped } = collection.traits;
  if (!capped) return true;
  const prefix = documentPrefix(collection.id);
  for (let removed = 0; removed < TRIM_AT_ONCE; removed++) {
    const pending = writer.pending(collection);
    const documents = collection.documents + (pending?.documents ?? 0);
    const bytes = collection.bytes + (pending?.bytes ?? 0);
    if (documents <= 1 || (bytes <= capped.size && documents <= capped.max)) return true;
    const oldest = firstOf(writer.view.entries({ low: prefix, high: prefixEnd(prefix) }));
    if (!oldest) return true;
    const recordId = recordIdOfDocumentKey(oldest.key);
    if (recordId === kept) return true;
    applyChange(writer, collection, { recordId, before: new StoredDocument(oldest.value) });
  }
  return false;
};

const firstOf = <T>(items: Iterable<T>): T | undefined => {
  for (const item of items) return item;
  return undefined;
};

const indexChanges = (collection: Collection, { before, after }: DocumentChange): IndexChange[] => {
  const changes: IndexChange[] = [];
  for (const index of collection.indexes) {
    if (index.isId && before && after) continue;
    const { added, removed } = entryChanges(
      before ? entriesOf(index, before) : [],
      after ? entriesOf(index, after) : [],
    );
    if (added.length > 0 || removed.length > 0) changes.push({ index, added, removed });
  }
  return changes;
};

const checkUnique = (writer: Writer, collection: Collection, change: IndexChange, recordId: number): void => {
  for (const entry of change.removed) writer.claim(entry.key);
  for (const entry of change.added) {
    writer.claim(entry.key);
    const holder = writer.view.get(entry.key);
    if (holder && readU64(holder, 0) !== recordId) throw duplicateKey(collection, change.index, entry);
  }
};

export const duplicateKey = (collection: Collection, index: Index, entry: IndexEntry): ServerError => {
  const keyValue: Doc = {};
  index.fields.forEach((field, i) => (keyValue[field] = entry.values[i] ?? null));
  const shown = index.fields.map((field, i) => `${field}: ${formatValue(entry.values[i])}`).join(', ');
  return new ServerError(
    'DuplicateKey',
    `E11000 duplicate key error collection: ${collection.name} index: ${index.spec.name} dup key: { ${shown} }`,
    { details: { keyPattern: index.spec.key, keyValue } },
  );
};
