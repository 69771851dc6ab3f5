import type { mongo, Types } from 'mongoose';

/** A stored document, by the fields that every collection has. */
export interface DocumentId {
  readonly collection: string;
  readonly tenantId: string;
  readonly id: Types.ObjectId;
}

/** A document whose state decides what a unit of work writes. */
export interface DocumentRef extends DocumentId {
  /** A change is written only if these fields still have the values that were read. Every change must alter at least one of them. */
  readonly guard: readonly string[];
}

/** Fields to set; one that is `undefined` is removed. */
export type FieldChanges = Readonly<Record<string, unknown>>;

/** A change of a document that is only written while the document has the fields of `guard`. */
export interface GuardedChange extends DocumentId {
  /** Fields and the values that they must have; `undefined`: the field must be absent. */
  readonly guard: FieldChanges;
  readonly set: FieldChanges;
  /** The error that refuses the unit when the document is gone or has other values. */
  mismatch(): Error;
}

export interface InsertOptions {
  /** The document will be the `ref` of later units: it is remembered, so that the first of them need not read it. */
  readonly isShared?: boolean;
  /**
   * A field that is unique within the tenant. Of units in one transaction that insert the same value of it, or the same `_id`, the first is
   * written; the others are refused with DuplicateKeyError after its commit, and can read what it stored.
   */
  readonly unique?: string;
}

/** Collects what a unit of work writes. Members that are `undefined` are not stored. */
export interface UnitWriter {
  /** When the unit was handed over; later when it had to wait for long. It never runs backwards within a process. */
  readonly stamp: Date;
  /** The document of `ref` with what earlier units changed; null when it does not exist, or there is no `ref`. It must not be modified. */
  readonly document: mongo.Document | null;
  /** Changes the document of `ref`, which must exist; returns it as it is then. */
  change(changes: FieldChanges): mongo.Document;
  insert(collection: string, document: mongo.Document, options?: InsertOptions): void;
  compareAndSet(change: GuardedChange): void;
}

/** What is written together: all of it, or nothing. */
export interface UnitOfWork<T> {
  /** Units that name the same document are committed in the order in which they were handed over. */
  readonly ref?: DocumentRef;
  /** Approximate size of what is written, bytes; default 1,024. */
  readonly bytes?: number;
  /**
   * Writes the unit, and returns what its caller gets after the commit. It must be synchronous and free of side effects, as it is called
   * again after a conflict. An error that it throws refuses this unit alone, and nothing of the unit is written.
   */
  write(writer: UnitWriter): T;
}
