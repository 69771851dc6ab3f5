import { toNumber } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { nameOf } from './catalog.js';
import type { Collection } from './catalog.js';
import { addCollection } from './catalog-changes.js';
import { newChange } from './change-log.js';
import type { ChangeKind } from './change-log.js';
import { duplicateKey } from './document-change.js';
import { GarbageCollector } from './garbage.js';
import { Index } from './index-definition.js';
import { entriesOf } from './index-entries.js';
import { alreadyExists, expirySeconds, parseIndexSpec } from './index-spec.js';
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
import { sameKeyPattern } from './planner.js';
import { checkInterrupt } from './record-source.js';
import { StoredDocument } from './stored-document.js';
import type { EngineTransaction } from './transaction.js';
import type { IndexSpec, Namespace, OpContext } from './types.js';
import type { Batch } from './write-queue.js';
import { Blocked } from './write-queue.js';
import { Chunk, isAbandoned, isView, recordCreation, statementError, transactionOf } from './write-runner.js';
import type { EngineCore } from './write-runner.js';
import { PlainWriter } from './writer.js';

const MAX_INDEXES = 64;

/** Builds the missing indexes. If one of them cannot be built, none is created. */
export const createIndexes = async (
  core: EngineCore,
  garbage: GarbageCollector,
  ns: Namespace,
  specs: Doc[],
  ctx: OpContext,
): Promise<{ createdCollection: boolean; before: number; after: number }> => {
  const txn = transactionOf(ctx);
  if (txn) core.transactions.requireOpen(txn);
  const started = await core.queue.run((batch) => registerIndexes(core, batch, ns, specs, txn));
  const { collection, indexes, before, createdCollection } = started;

  try {
    for (const index of indexes) await fillIndex(core, collection, index, ctx);
    await core.queue.run((batch) => completeIndexes(core, batch, collection, indexes));
  } catch (error) {
    for (const index of indexes) index.dropped = true;
    collection.indexes = collection.indexes.filter((index) => !index.dropped);
    garbage.start();
    throw error;
  }
  return { createdCollection, before, after: collection.listedIndexes.length };
};

/**
 * Registers the indexes so that writers maintain them. Plans do not use them yet. After a crash, the garbage
 * collector removes them.
 */
const registerIndexes = (
  core: EngineCore,
  batch: Batch,
  ns: Namespace,
  specs: Doc[],
  txn: EngineTransaction | undefined,
) => {
  const found = core.catalog.get(ns);
  const existing = found && isAbandoned(found) ? undefined : found;
  if (existing && existing.pendingIn !== txn) existing.pendingIn = undefined;
  if (existing?.traits.view) throw isView(existing.name);
  const wanted: IndexSpec[] = [];
  for (const given of specs) {
    const spec = parseIndexSpec(given, existing ?? { options: {} });
    // The `_id` index is created with the collection and cannot be added to a clustered one.
    if (spec.name === '_id_' && (existing?.idIndex === undefined || existing.traits.clustered)) continue;
    if (existing && alreadyExists(existing, spec)) continue;
    const twin = wanted.find((other) => other.name === spec.name);
    if (twin && sameKeyPattern(twin.key, spec.key)) continue;
    if (twin)
      throw new ServerError(
        'IndexKeySpecsConflict',
        `two of the requested indexes have the name ${spec.name}`,
      );
    wanted.push(spec);
  }
  if (existing && wanted.length > 0) {
    if (txn) requireCreatedIn(txn, existing);
    core.transactions.requireUntouched(existing);
  }
  const before = existing ? existing.listedIndexes.length : 0;
  if (before + wanted.length > MAX_INDEXES) {
    throw new ServerError('CannotCreateIndex', `add index fails, too many indexes for ${nameOf(ns)}`);
  }
  // An invalid partial filter or collation must be detected before anything is written.
  for (const spec of wanted) new Index(0, 0, spec);
  const collection = existing ?? addCollection(core, batch, ns, {});
  if (txn && !existing) recordCreation(core, txn, collection);
  const indexes = wanted.map((spec) => {
    const id = core.catalog.allocateId((key, value) => batch.put(key, value));
    const index = new Index(collection.id, id, spec);
    index.building = true;
    index.readyAt = undefined;
    GarbageCollector.mark(batch, collection.id, id);
    return index;
  });
  if (indexes.length > 0) {
    const definedAt = collection.definedAt;
    collection.indexes = [...collection.indexes, ...indexes];
    collection.definedAt = batch.seq;
    batch.undo.push(() => {
      collection.indexes = collection.indexes.filter((index) => !indexes.includes(index));
      collection.definedAt = definedAt;
    });
  }
  return { collection, indexes, before: existing ? before : 1, createdCollection: !existing };
};

/** A transaction can add indexes only to an empty collection that it created itself. */
const requireCreatedIn = (txn: EngineTransaction, collection: Collection): void => {
  const created = txn.created.has(collection);
  if (created && collection.documents === 0 && !txn.counters.has(collection)) return;
  throw new ServerError(
    'OperationNotSupportedInTransaction',
    `Cannot create new indexes on ${created ? 'non-empty' : 'existing'} collection ${collection.name} in a multi-document transaction.`,
  );
};

/**
 * Adds index entries for existing documents in chunks. Entries that writers have already added are skipped.
 */
const fillIndex = async (
  core: EngineCore,
  collection: Collection,
  index: Index,
  ctx: OpContext,
): Promise<void> => {
  let from = 0;
  for (;;) {
    checkInterrupt(ctx, core.now);
    const next = await core.queue.run((batch) => fillSome(core, batch, collection, index, from));
    if (next === undefined) return;
    if (next.failure) throw next.failure;
    if (next.blocked) await next.blocked;
    from = next.from;
  }
};

const fillSome = (
  core: EngineCore,
  batch: Batch,
  collection: Collection,
  index: Index,
  from: number,
): { from: number; blocked?: Promise<void>; failure?: ServerError } | undefined => {
  if (collection.dropped)
    throw new ServerError('NamespaceNotFound', `collection dropped: ${collection.name}`);
  const writer = new PlainWriter(batch, core.transactions);
  const chunk = new Chunk();
  const documents: { recordId: number; bytes: Uint8Array }[] = [];
  const range = { low: documentKey(collection.id, from), high: prefixEnd(documentPrefix(collection.id)) };
  let complete = true;
  for (const { key, value } of writer.view.entries(range)) {
    documents.push({ recordId: recordIdOfDocumentKey(key), bytes: value });
    if (documents.length < 500 && !chunk.isOver) continue;
    complete = false;
    break;
  }
  for (const { recordId, bytes } of documents) {
    try {
      addEntries(writer, collection, index, recordId, bytes);
    } catch (error) {
      if (error instanceof Blocked) return { from: recordId, blocked: error.ended };
      // Some entries are already written, so throwing here would fail the whole commit.
      const failure = statementError(error);
      if (!failure) throw error;
      return { from: recordId, failure };
    }
  }
  const last = documents.at(-1);
  return complete || !last ? undefined : { from: last.recordId + 1 };
};

const addEntries = (
  writer: PlainWriter,
  collection: Collection,
  index: Index,
  recordId: number,
  bytes: Uint8Array,
): void => {
  const entries = entriesOf(index, new StoredDocument(bytes));
  if (index.unique) {
    for (const entry of entries) {
      writer.claim(entry.key);
      const holder = writer.view.get(entry.key);
      if (holder && readU64(holder, 0) !== recordId) throw duplicateKey(collection, index, entry);
    }
  }
  for (const entry of entries) {
    if (index.unique) writer.put(entry.key, u64(recordId));
    else writer.put(withRecordId(entry.key, recordId), EMPTY);
  }
};

const completeIndexes = (core: EngineCore, batch: Batch, collection: Collection, indexes: Index[]): void => {
  if (collection.dropped)
    throw new ServerError('NamespaceNotFound', `collection dropped: ${collection.name}`);
  for (const index of indexes) {
    index.building = false;
    GarbageCollector.unmark(batch, collection.id, index.id);
  }
  batch.savedRows.add(collection);
  if (indexes.length > 0) noteIndexes(batch, collection, 'createIndexes', indexes);
  batch.afterCommit.push(() => {
    for (const index of indexes) {
      index.readyAt = batch.seq;
      index.since = core.now();
    }
  });
  batch.undo.push(() => {
    for (const index of indexes) index.building = true;
  });
};

const noteIndexes = (batch: Batch, collection: Collection, kind: ChangeKind, indexes: Index[]): void => {
  const specs = indexes.map(({ spec }): Doc => ({ ...spec }));
  batch.changes.push(
    newChange(kind, collection.ns, {
      uuid: collection.uuid,
      catalog: { operationDescription: { indexes: specs } },
    }),
  );
};

/** Drops the selected indexes. Their entries are deleted later. */
export const dropIndexes = (
  core: EngineCore,
  ns: Namespace,
  which: string | Doc | string[],
): Promise<number> =>
  core.queue.run((batch) => {
    const collection = core.catalog.get(ns);
    if (!collection) throw new ServerError('NamespaceNotFound', `ns not found ${nameOf(ns)}`);
    if (collection.traits.view) throw isView(collection.name);
    const before = collection.listedIndexes.length;
    const doomed = chosenIndexes(collection, which);
    if (doomed.length === 0) return before;
    core.transactions.requireUntouched(collection);
    dropSome(batch, collection, doomed);
    for (const index of doomed) noteIndexes(batch, collection, 'dropIndexes', [index]);
    return before;
  });

/** Removes indexes from the collection. Their entries are deleted later. */
export const dropSome = (batch: Batch, collection: Collection, doomed: readonly Index[]): void => {
  const before = collection.indexes;
  const definedAt = collection.definedAt;
  for (const index of doomed) {
    GarbageCollector.mark(batch, collection.id, index.id);
    index.dropped = true;
  }
  collection.indexes = before.filter((index) => !index.dropped);
  collection.definedAt = batch.seq;
  batch.savedRows.add(collection);
  batch.undo.push(() => {
    for (const index of doomed) index.dropped = false;
    collection.indexes = before;
    collection.definedAt = definedAt;
  });
};

const chosenIndexes = (collection: Collection, which: string | Doc | string[]): Index[] => {
  const ready = collection.listedIndexes;
  if (which === '*') return ready.filter((index) => !index.isId);
  const names = typeof which === 'string' ? [which] : Array.isArray(which) ? which : undefined;
  const found = names
    ? names.map((name) => {
        const index = ready.find(({ spec }) => spec.name === name);
        if (!index) throw new ServerError('IndexNotFound', `index not found with name [${name}]`);
        return index;
      })
    : ready.filter(({ spec }) => sameKeyPattern(spec.key, which as Doc));
  if (found.length === 0)
    throw new ServerError('IndexNotFound', `can't find index with key: ${JSON.stringify(which)}`);
  if (found.some((index) => index.isId)) throw new ServerError('InvalidOptions', 'cannot drop _id index');
  return found;
};

/**
 * Applies collMod to one index: TTL and the hidden flag. Returns the old and new values in MongoDB's format.
 */
export const modifyIndex = (collection: Collection, batch: Batch, change: Doc): Doc => {
  const index = collection.indexes.find(({ spec }) =>
    typeof change.name === 'string'
      ? spec.name === change.name
      : sameKeyPattern(spec.key, (change.keyPattern ?? {}) as Doc),
  );
  if (!index) throw new ServerError('IndexNotFound', `cannot find index for ns ${collection.name}`);
  const before = index.spec;
  const changed: Doc = {};
  const spec: IndexSpec = { ...before };
  if (change.expireAfterSeconds !== undefined) {
    if (before.expireAfterSeconds !== undefined) changed.expireAfterSeconds_old = before.expireAfterSeconds;
    spec.expireAfterSeconds = expirySeconds(change.expireAfterSeconds);
    changed.expireAfterSeconds_new = spec.expireAfterSeconds;
  }
  if (change.hidden !== undefined) {
    changed.hidden_old = before.hidden ?? false;
    changed.hidden_new = change.hidden === true || toNumber(change.hidden) === 1;
    if (changed.hidden_new) spec.hidden = true;
    else delete spec.hidden;
  }
  index.spec = spec;
  batch.savedRows.add(collection);
  batch.undo.push(() => (index.spec = before));
  return changed;
};
