import { randomBytes } from 'node:crypto';
import { Binary } from 'bson';
import { compileFilter } from '../query/matcher.js';
import type { Filter } from '../query/matcher.js';
import { decode, encode, int, toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { traitsOf } from './collection-traits.js';
import type { CollectionTraits } from './collection-traits.js';
import { Index } from './index-definition.js';
import {
  countersKey,
  documentPrefix,
  KeySpace,
  prefixEnd,
  readU64,
  recordIdOfDocumentKey,
  textKey,
  u64,
} from './key-layout.js';
import type { CollectionInfo, IndexSpec, Namespace } from './types.js';
import type { View } from './view.js';

const NEXT_ID_KEY = textKey(KeySpace.fact, 'nextId');

export const nameOf = (ns: Namespace): string => `${ns.db}.${ns.coll}`;

/** A collection in memory. `documents` and `bytes` are the committed totals. */
export class Collection {
  documents = 0;
  bytes = 0;
  nextRecordId = 1;
  dropped = false;
  /**
   * Sequence of the commit that last changed the collection's definition. Transactions with an older snapshot
   * must not write to it.
   */
  definedAt = 0;
  indexes: Index[] = [];
  /**
   * The transaction that created the collection, until it commits or another writer starts to use the
   * collection.
   */
  pendingIn: { readonly state: 'open' | 'committed' | 'aborted' } | undefined;
  /**
   * Called after each commit that wrote to the collection's documents, and when the collection is dropped.
   */
  readonly listeners = new Set<() => void>();
  traits: CollectionTraits;
  private given: Doc;
  private validatorSource: unknown;
  private validatorFilter: Filter | undefined;

  constructor(
    readonly id: number,
    readonly uuid: Uint8Array,
    public ns: Namespace,
    options: Doc,
  ) {
    this.given = options;
    this.traits = traitsOf(options);
  }

  get options(): Doc {
    return this.given;
  }

  set options(options: Doc) {
    this.given = options;
    this.traits = traitsOf(options);
  }

  get name(): string {
    return nameOf(this.ns);
  }

  /** Undefined for views. */
  get idIndex(): Index | undefined {
    const first = this.indexes[0];
    return first?.isId ? first : undefined;
  }

  /** A collection created by an open transaction is visible to that transaction only. */
  isHiddenFrom(txn: object | undefined): boolean {
    const { pendingIn } = this;
    return pendingIn !== undefined && pendingIn !== txn && pendingIn.state !== 'committed';
  }

  /** The indexes that are reported to clients. */
  get listedIndexes(): Index[] {
    return this.indexes.filter((index) => !index.building);
  }

  /** The filter that inserted and updated documents must match, if any. */
  get validator(): Filter | undefined {
    const source = this.options.validator;
    if (source !== this.validatorSource) {
      this.validatorSource = source;
      this.validatorFilter =
        source && Object.keys(source as Doc).length > 0 ? compileFilter(source as Doc) : undefined;
    }
    return this.validatorFilter;
  }

  allocateRecordId(): number {
    return this.nextRecordId++;
  }

  info(): CollectionInfo {
    return {
      ns: this.ns,
      id: this.id,
      uuid: this.uuid,
      type: this.traits.type,
      options: this.options,
      indexes: this.listedIndexes.filter((index) => index.readyAt !== undefined).map((index) => index.spec),
    };
  }

  row(): Uint8Array {
    return encode({
      id: this.id,
      uuid: new Binary(this.uuid, 4),
      db: this.ns.db,
      coll: this.ns.coll,
      options: this.options,
      indexes: this.indexes.filter((index) => !index.building).map((index) => index.row()),
    });
  }

  rowKey(): Uint8Array {
    return textKey(KeySpace.catalog, this.name);
  }
}

/** All collections by name. Loaded once when the store opens, and changed only in write callbacks. */
export class Catalog {
  private readonly byName = new Map<string, Collection>();
  private nextId: number;
  private views = 0;
  /** When each name last lost its collection. Needed by transactions with older snapshots. */
  private readonly droppedAt = new Map<string, number>();

  constructor(view: View) {
    const row = view.get(NEXT_ID_KEY);
    this.nextId = row ? readU64(row, 0) : 1;
    const prefix = new Uint8Array([KeySpace.catalog]);
    for (const { value } of view.entries({ low: prefix, high: prefixEnd(prefix) })) {
      const collection = collectionOf(decode(value));
      loadCounters(collection, view);
      this.add(collection);
    }
  }

  get hasViews(): boolean {
    return this.views > 0;
  }

  get(ns: Namespace): Collection | undefined {
    return this.byName.get(nameOf(ns));
  }

  all(): IterableIterator<Collection> {
    return this.byName.values();
  }

  of(db: string): Collection[] {
    return [...this.byName.values()]
      .filter((collection) => collection.ns.db === db)
      .sort((a, b) => (a.ns.coll < b.ns.coll ? -1 : 1));
  }

  droppedSequence(ns: Namespace): number {
    return this.droppedAt.get(nameOf(ns)) ?? 0;
  }

  /** Allocates an id for a collection or an index. Ids are never reused. */
  allocateId(put: (key: Uint8Array, value: Uint8Array) => void): number {
    const id = this.nextId++;
    put(NEXT_ID_KEY, u64(this.nextId));
    return id;
  }

  add(collection: Collection): void {
    this.byName.set(collection.name, collection);
    if (collection.traits.view) this.views++;
  }

  /** `sequence` is that of the commit, or undefined for a collection that no snapshot can have seen. */
  remove(collection: Collection, sequence: number | undefined): void {
    this.byName.delete(collection.name);
    if (collection.traits.view) this.views--;
    if (sequence !== undefined) this.droppedAt.set(collection.name, sequence);
  }
}

export const newCollection = (
  id: number,
  ns: Namespace,
  options: Doc,
  allocateId: () => number,
): Collection => {
  const uuid = new Uint8Array(randomBytes(16));
  uuid[6] = (uuid[6]! & 0x0f) | 0x40;
  uuid[8] = (uuid[8]! & 0x3f) | 0x80;
  const collection = new Collection(id, uuid, { ...ns }, options);
  collection.indexes = firstIndexes(collection).map((spec) => new Index(id, allocateId(), spec));
  return collection;
};

const firstIndexes = ({ traits, options }: Collection): IndexSpec[] => {
  const { type, clustered } = traits;
  const collation = options.collation ? { collation: options.collation as Doc } : {};
  if (type === 'view') return [];
  const idSpec: IndexSpec = { v: 2, key: { _id: int(1) }, name: '_id_', ...collation };
  if (clustered) Object.assign(idSpec, { name: clustered.name, unique: true, clustered: true });
  return [idSpec];
};

const collectionOf = (row: Doc): Collection => {
  const uuid = (row.uuid as Binary).buffer;
  const ns = { db: row.db as string, coll: row.coll as string };
  const collection = new Collection(toNumber(row.id), new Uint8Array(uuid), ns, row.options as Doc);
  collection.indexes = (row.indexes as Value[]).map((index) => Index.ofRow(collection.id, index as Doc));
  return collection;
};

const loadCounters = (collection: Collection, view: View): void => {
  const counters = view.get(countersKey(collection.id));
  if (counters) {
    collection.documents = readU64(counters, 0);
    collection.bytes = readU64(counters, 8);
  }
  const prefix = documentPrefix(collection.id);
  for (const key of view.keys({ low: prefix, high: prefixEnd(prefix), reverse: true })) {
    collection.nextRecordId = recordIdOfDocumentKey(key) + 1;
    break;
  }
};
