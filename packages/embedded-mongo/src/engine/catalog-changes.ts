import { Binary } from 'bson';
import { isDoc } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { compileFilter } from '../query/matcher.js';
import { equalValues, parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';
import { nameOf, newCollection } from './catalog.js';
import type { Collection } from './catalog.js';
import { newChange } from './change-log.js';
import { GarbageCollector } from './garbage.js';
import { countersKey } from './key-layout.js';
import type { Namespace, OpContext } from './types.js';
import type { Batch } from './write-queue.js';
import { isAbandoned, recordCreation, transactionOf } from './write-runner.js';
import type { EngineCore } from './write-runner.js';

const MAX_NAME_BYTES = 255;

export const checkNamespace = (ns: Namespace): void => {
  const invalid = (reason: string) =>
    new ServerError('InvalidNamespace', `Invalid namespace specified '${nameOf(ns)}': ${reason}`);
  if (ns.db === '' || /[/\\. "$\0]/.test(ns.db) || Buffer.byteLength(ns.db) > 63)
    throw invalid('bad database name');
  if (ns.coll === '' || ns.coll.startsWith('.') || ns.coll.endsWith('.') || /[$\0]/.test(ns.coll)) {
    throw invalid('bad collection name');
  }
  if (ns.coll === 'system.views') throw invalid('views can only be created with the create command');
  if (Buffer.byteLength(nameOf(ns)) > MAX_NAME_BYTES) throw invalid('the name is too long');
};

/** Throws when called in a transaction: catalog changes are not part of its snapshot. */
export const refuseInTransaction = (ctx: OpContext, what: string): void => {
  if (ctx.txn) {
    throw new ServerError(
      'OperationNotSupportedInTransaction',
      `Cannot run '${what}' in a multi-document transaction.`,
    );
  }
};

/**
 * Adds a collection and its initial indexes. The change is in memory at once and is undone if the commit
 * fails.
 */
export const addCollection = (core: EngineCore, batch: Batch, ns: Namespace, options: Doc): Collection => {
  checkNamespace(ns);
  const abandoned = core.catalog.get(ns);
  if (abandoned) removeCollection(core, batch, abandoned);
  const put = (key: Uint8Array, value: Uint8Array) => batch.put(key, value);
  const id = core.catalog.allocateId(put);
  const collection = newCollection(id, ns, options, () => core.catalog.allocateId(put));
  collection.definedAt = batch.seq;
  if (collection.idIndex) collection.idIndex.since = core.now();
  core.catalog.add(collection);
  batch.undo.push(() => {
    collection.dropped = true;
    core.catalog.remove(collection, 0);
  });
  batch.savedRows.add(collection);
  const [idIndex] = collection.indexes;
  batch.changes.push(
    newChange('create', collection.ns, {
      uuid: uuidOf(collection),
      catalog: { operationDescription: { ...options, ...(idIndex && { idIndex: { ...idIndex.spec } }) } },
    }),
  );
  batch.count(collection, 0, 0);
  return collection;
};

/**
 * Creates a collection or a view. Succeeds without a change if one with the same options exists. A
 * transaction gets NamespaceExists instead, because its own creations are committed immediately.
 */
export const createCollection = async (
  core: EngineCore,
  ns: Namespace,
  options: Doc,
  ctx: OpContext,
): Promise<void> => {
  const txn = transactionOf(ctx);
  if (txn) {
    core.transactions.requireOpen(txn);
    refuseKindInTransaction(ns, options);
  }
  const { collation, ...others } = options;
  const parsed = parseCollation(collation as Doc | undefined);
  const kept: Doc = parsed ? { ...others, collation: parsed.spec } : others;
  if (isDoc(kept.validator)) compileFilter(kept.validator);
  await core.queue.run((batch) => {
    const existing = core.catalog.get(ns);
    if (!existing || isAbandoned(existing)) {
      const created = addCollection(core, batch, ns, kept);
      if (txn) recordCreation(core, txn, created);
      return;
    }
    // Another writer now depends on the collection, so it must survive an abort of the transaction.
    if (existing.pendingIn !== txn) existing.pendingIn = undefined;
    if (txn) throw new ServerError('NamespaceExists', `Collection ${nameOf(ns)} already exists.`);
    if (equalValues(inOrder(existing.options), inOrder(kept))) return;
    throw new ServerError(
      'NamespaceExists',
      `namespace ${nameOf(ns)} already exists, but with different options: ${shownOptions(existing)}`,
    );
  });
};

const refuseKindInTransaction = (ns: Namespace, options: Doc): void => {
  if (options.viewOn === undefined) return;
  throw new ServerError(
    'OperationNotSupportedInTransaction',
    `Cannot create a view in a multi-document transaction: ${nameOf(ns)}`,
  );
};

/** Sorts the options by name, so that two sets of options compare equal regardless of order. */
const inOrder = (options: Doc): Doc =>
  Object.fromEntries(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));

const shownOptions = ({ uuid, options }: Collection): string => {
  const hex = Buffer.from(uuid).toString('hex');
  const text = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const rest = formatDoc(options).slice(1, -1).trim();
  return rest === '' ? `{ uuid: UUID("${text}") }` : `{ uuid: UUID("${text}"), ${rest} }`;
};

/** Removes the collection from the catalog. The garbage collector deletes its keys later. */
export const removeCollection = (core: EngineCore, batch: Batch, collection: Collection): void => {
  const key = collection.rowKey();
  batch.remove(key);
  batch.remove(countersKey(collection.id));
  GarbageCollector.mark(batch, collection.id, 0);
  collection.dropped = true;
  core.catalog.remove(collection, isAbandoned(collection) ? undefined : batch.seq);
  batch.savedRows.delete(collection);
  batch.afterCommit.push(() => {
    for (const wake of [...collection.listeners]) wake();
  });
  batch.undo.push(() => {
    collection.dropped = false;
    core.catalog.add(collection);
  });
};

/** Removes a collection that an aborted transaction created, unless another writer has started to use it. */
export const discardCreated = (core: EngineCore, collection: Collection): Promise<void> =>
  core.queue.run((batch) => {
    if (collection.dropped || !isAbandoned(collection) || collection.documents > 0) return;
    removeCollection(core, batch, collection);
  });

/** The collection's UUID in change events. Views have none. */
export const uuidOf = ({ traits, uuid }: Collection): Uint8Array | undefined =>
  traits.view ? undefined : uuid;

const noteDrop = (batch: Batch, collection: Collection): void => {
  batch.changes.push(
    newChange('drop', collection.ns, { uuid: uuidOf(collection), catalog: { operationDescription: {} } }),
  );
};

/**
 * Drops a collection or view and returns what was dropped, or undefined if it did not exist. Dropping
 * `system.views` drops all views of the database.
 */
export const dropCollection = (
  core: EngineCore,
  ns: Namespace,
): Promise<{ nIndexesWas?: number } | undefined> =>
  core.queue.run((batch) => {
    if (ns.coll === 'system.views') return dropViews(core, batch, ns.db);
    const collection = core.catalog.get(ns);
    if (!collection) return undefined;
    core.transactions.requireUntouched(collection);
    const nIndexesWas = collection.listedIndexes.length;
    removeCollection(core, batch, collection);
    noteDrop(batch, collection);
    return collection.traits.view ? {} : { nIndexesWas };
  });

const dropViews = (core: EngineCore, batch: Batch, db: string): { nIndexesWas: number } | undefined => {
  const views = core.catalog.of(db).filter(({ traits }) => traits.view);
  for (const view of views) {
    removeCollection(core, batch, view);
    noteDrop(batch, view);
  }
  return views.length > 0 ? { nIndexesWas: 1 } : undefined;
};

export const dropDatabase = (core: EngineCore, db: string): Promise<boolean> =>
  core.queue.run((batch) => {
    const collections = core.catalog.of(db);
    for (const collection of collections) core.transactions.requireUntouched(collection);
    for (const collection of collections) {
      removeCollection(core, batch, collection);
      noteDrop(batch, collection);
    }
    if (collections.length > 0) batch.changes.push(newChange('dropDatabase', { db, coll: '' }, {}));
    return collections.length > 0;
  });

export const renameCollection = async (
  core: EngineCore,
  from: Namespace,
  to: Namespace,
  dropTarget: boolean,
): Promise<void> => {
  checkNamespace(to);
  await core.queue.run((batch) => {
    const collection = core.catalog.get(from);
    if (!collection)
      throw new ServerError('NamespaceNotFound', `Source collection ${nameOf(from)} does not exist`);
    if (nameOf(from) === nameOf(to)) {
      throw new ServerError('IllegalOperation', "Can't rename a collection to itself");
    }
    const target = core.catalog.get(to);
    if (collection.traits.view)
      throw new ServerError('CommandNotSupportedOnView', `cannot rename view: ${nameOf(from)}`);
    if (target?.traits.view)
      throw new ServerError('NamespaceExists', `a view already exists with that name: ${nameOf(to)}`);
    if (target && !dropTarget) throw new ServerError('NamespaceExists', 'target namespace exists');
    core.transactions.requireUntouched(collection);
    if (target) {
      core.transactions.requireUntouched(target);
      removeCollection(core, batch, target);
    }
    const before = { ns: collection.ns, definedAt: collection.definedAt };
    batch.remove(collection.rowKey());
    core.catalog.remove(collection, batch.seq);
    collection.ns = { ...to };
    collection.definedAt = batch.seq;
    core.catalog.add(collection);
    batch.savedRows.add(collection);
    const dropped = target && { dropTarget: new Binary(target.uuid, 4) };
    batch.changes.push(
      newChange('rename', before.ns, {
        uuid: collection.uuid,
        catalog: { to: collection.ns, operationDescription: { to: { ...to }, ...dropped } },
      }),
    );
    batch.undo.push(() => {
      core.catalog.remove(collection, 0);
      Object.assign(collection, before);
      core.catalog.add(collection);
      if (target) core.catalog.add(target);
    });
  });
};
