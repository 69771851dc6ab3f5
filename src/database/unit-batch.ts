import type { mongo } from 'mongoose';
import { DuplicateKeyError } from './errors.js';
import type {
  DocumentId,
  DocumentRef,
  FieldChanges,
  GuardedChange,
  InsertOptions,
  UnitOfWork,
  UnitWriter,
} from './unit-of-work.js';

export const keyOf = ({ collection, tenantId, id }: DocumentId): string =>
  `${collection}\0${tenantId}\0${id.toHexString()}`;

/** Identifies a document's value of a field that is unique within the tenant. */
export const uniqueValue = (collection: string, document: mongo.Document, field: string): string =>
  [collection, document['tenantId'], field, document[field]].map(String).join('\0');

/** A unit that is waiting or in a transaction. */
export interface QueuedUnit {
  readonly unit: UnitOfWork<unknown>;
  readonly key: string | undefined;
  readonly bytes: number;
  /** Replaced when the unit has waited too long. */
  stamp: Date;
  /** Times from `performance.now()`, in milliseconds. */
  readonly queuedAt: number;
  readonly deadline: number;
  /** Error of the last failed transaction that contained this unit. */
  lastError?: Error;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface InsertStatement {
  readonly owner: QueuedUnit;
  readonly document: mongo.Document;
}

/** An update that must match exactly one document. */
export interface UpdateStatement {
  readonly q: mongo.Document;
  readonly u: mongo.Document;
  readonly of: DocumentId;
  readonly guard: FieldChanges;
  /**
   * The unit to reject when nothing matches. Absent when a mismatch means that the cached document was
   * outdated and must be read again.
   */
  readonly refuse?: { owner: QueuedUnit; error: () => Error };
}

/** A document that units of the batch reference. */
interface SharedDocument {
  readonly ref: DocumentRef;
  /** The document as it was read; the update expects its guard fields to be unchanged. */
  readonly before: mongo.Document | null;
  now: mongo.Document | null;
  readonly changes: Record<string, unknown>;
}

const conditions = (guard: FieldChanges): mongo.Document =>
  Object.fromEntries(
    Object.entries(guard).map(([field, value]) => [field, value === undefined ? { $exists: false } : value]),
  );

/** Sets the fields that have a value and unsets the others. */
function updateOf(changes: FieldChanges): mongo.Document {
  const entries = Object.entries(changes);
  const set = entries.filter(([, value]) => value !== undefined);
  const unset = entries.filter(([, value]) => value === undefined);
  return {
    ...(set.length > 0 && { $set: Object.fromEntries(set) }),
    ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map(([field]) => [field, 1])) }),
  };
}

const withChanges = (document: mongo.Document, changes: FieldChanges): mongo.Document =>
  Object.fromEntries(Object.entries({ ...document, ...changes }).filter(([, value]) => value !== undefined));

const statement = ({ tenantId, id }: DocumentId, guard: FieldChanges, changes: FieldChanges) => ({
  q: { _id: id, tenantId, ...conditions(guard) },
  u: updateOf(changes),
  guard,
});

/** Collects what one unit writes, separately from the batch until its `write` has returned. */
class Draft implements UnitWriter {
  document: mongo.Document | null;
  readonly changes: Record<string, unknown> = {};
  readonly inserts: { collection: string; document: mongo.Document; options: InsertOptions }[] = [];
  readonly guarded: GuardedChange[] = [];

  constructor(
    readonly stamp: Date,
    shared: SharedDocument | undefined,
  ) {
    this.document = shared?.now ?? null;
  }

  change(changes: FieldChanges): mongo.Document {
    if (!this.document) throw new Error('the unit of work has no document to change');
    Object.assign(this.changes, changes);
    this.document = withChanges(this.document, changes);
    return this.document;
  }

  insert(collection: string, document: mongo.Document, options: InsertOptions = {}): void {
    this.inserts.push({ collection, document, options });
  }

  compareAndSet(change: GuardedChange): void {
    // An update without operators would replace the document.
    if (Object.keys(change.set).length === 0) throw new Error('a guarded change has nothing to set');
    this.guarded.push(change);
  }
}

/**
 * Turns the writes of several units into the statements of one transaction, and records which unit each
 * belongs to.
 */
export class UnitBatch {
  readonly results = new Map<QueuedUnit, unknown>();
  readonly inserts = new Map<string, InsertStatement[]>();
  private readonly created = new Map<string, mongo.Document>();
  private readonly guarded: { owner: QueuedUnit; change: GuardedChange }[] = [];
  private readonly shared = new Map<string, SharedDocument>();
  /** Values that units of the batch insert into unique fields. */
  private readonly reserved = new Set<string>();

  /** @param known the documents that units reference, by key; a missing one does not exist */
  constructor(private readonly known: ReadonlyMap<string, mongo.Document>) {}

  /**
   * @throws whatever the unit's `write` throws; then nothing of the unit is in the batch
   * @throws DuplicateKeyError when an earlier unit inserts the same unique value
   */
  add(owner: QueuedUnit): void {
    const shared = this.sharedOf(owner);
    const draft = new Draft(owner.stamp, shared);
    const result = owner.unit.write(draft);
    this.reserve(draft);
    this.results.set(owner, result);
    if (shared) {
      shared.now = draft.document;
      Object.assign(shared.changes, draft.changes);
    }
    for (const { collection, document, options } of draft.inserts) {
      const { _id: id, tenantId } = document as { _id: mongo.ObjectId; tenantId: string };
      if (options.isShared) this.created.set(keyOf({ collection, tenantId, id }), document);
      const list = this.inserts.get(collection);
      if (list) list.push({ owner, document });
      else this.inserts.set(collection, [{ owner, document }]);
    }
    for (const change of draft.guarded) this.guarded.push({ owner, change });
  }

  /** The update statements, by collection. */
  updates(): Map<string, UpdateStatement[]> {
    const updates = new Map<string, UpdateStatement[]>();
    const add = (one: UpdateStatement): void => {
      const list = updates.get(one.of.collection);
      if (list) list.push(one);
      else updates.set(one.of.collection, [one]);
    };
    for (const { ref, before, changes } of this.changed()) {
      const guard = Object.fromEntries(ref.guard.map((field): [string, unknown] => [field, before?.[field]]));
      add({ of: ref, ...statement(ref, guard, changes) });
    }
    for (const { owner, change } of this.guarded)
      add({
        of: change,
        ...statement(change, change.guard, change.set),
        refuse: { owner, error: () => change.mismatch() },
      });
    return updates;
  }

  /** The shared documents that the commit creates or changes, in their state after it, by key. */
  *sharedDocuments(): Iterable<[key: string, document: mongo.Document]> {
    yield* this.created;
    for (const { ref, now } of this.changed()) if (now) yield [keyOf(ref), now];
  }

  /** Keys of the documents that units depend on but do not change, so that no update guard verifies them. */
  *unverified(): Iterable<string> {
    for (const [key, { changes }] of this.shared) if (Object.keys(changes).length === 0) yield key;
  }

  private reserve({ inserts }: Draft): void {
    const values = new Set<string>();
    for (const { collection, document, options } of inserts)
      for (const field of options.unique === undefined ? ['_id'] : ['_id', options.unique]) {
        if (document[field] === undefined) continue;
        const value = uniqueValue(collection, document, field);
        if (this.reserved.has(value) || values.has(value))
          throw new DuplicateKeyError(
            collection,
            [field],
            `the same ${field} is inserted twice in one transaction`,
          );
        values.add(value);
      }
    for (const value of values) this.reserved.add(value);
  }

  private *changed(): Iterable<SharedDocument> {
    for (const shared of this.shared.values()) if (Object.keys(shared.changes).length > 0) yield shared;
  }

  private sharedOf({ key, unit: { ref } }: QueuedUnit): SharedDocument | undefined {
    if (key === undefined || !ref) return undefined;
    const present = this.shared.get(key);
    if (present) return present;
    const before = this.known.get(key) ?? null;
    const shared = { ref, before, now: before, changes: {} };
    this.shared.set(key, shared);
    return shared;
  }
}

/** Whether a document has the values that an update expects. */
export const meets = (document: mongo.Document, guard: FieldChanges): boolean =>
  Object.entries(guard).every(([field, value]) => isSame(document[field], value));

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (isObjectId(a) && isObjectId(b)) return a.equals(b);
  return a === b;
}

const isObjectId = (value: unknown): value is mongo.ObjectId =>
  typeof value === 'object' && value !== null && '_bsontype' in value && value._bsontype === 'ObjectId';
