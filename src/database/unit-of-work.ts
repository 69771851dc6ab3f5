import type { mongo, Types } from 'mongoose';

/** Identifies a stored document by the fields that every collection has. */
export interface DocumentId {
  readonly collection: string;
  readonly tenantId: string;
  readonly id: Types.ObjectId;
}

/** A document whose state decides what a unit of work writes. */
export interface DocumentRef extends DocumentId {
  /**
   * A change is only written if these fields still have the values that were read. Every change must modify
   * at least one of them.
   */
  readonly guard: readonly string[];
}

/** Fields to set; a field with the value `undefined` is removed. */
export type FieldChanges = Readonly<Record<string, unknown>>;

/** A change that is only written if the document has the values in `guard`. */
export interface GuardedChange extends DocumentId {
  /** Fields and their required values; `undefined` means that the field must be absent. */
  readonly guard: FieldChanges;
  readonly set: FieldChanges;
  /** Creates the error with which the unit is rejected when the document is gone or has other values. */
  mismatch(): Error;
}

export interface InsertOptions {
  /**
   * The document will be the `ref` of later units. It is cached, so that the first of them need not read it.
   */
  readonly isShared?: boolean;
  /**
   * A field that is unique within the tenant. When several units in one transaction insert the same value of
   * it, or the same `_id`, the first is written. The others are rejected with DuplicateKeyError after the
   * commit, and can read what the first stored.
   */
  readonly unique?: string;
}

/** Collects what a unit of work writes. Members that are `undefined` are not stored. */
export interface UnitWriter {
  /** When the unit was submitted, or later if it had to wait long. Never decreases within a process. */
  readonly stamp: Date;
  /**
   * The document of `ref`, including the changes of earlier units. Null when it does not exist or there is no
   * `ref`. Must not be modified.
   */
  readonly document: mongo.Document | null;
  /** Changes the document of `ref`, which must exist, and returns the changed document. */
  change(changes: FieldChanges): mongo.Document;
  insert(collection: string, document: mongo.Document, options?: InsertOptions): void;
  compareAndSet(change: GuardedChange): void;
}

/** Writes that are stored together: either all of them, or none. */
export interface UnitOfWork<T> {
  /** Units that reference the same document are committed in the order in which they were submitted. */
  readonly ref?: DocumentRef;
  /** Approximate size of what is written, in bytes; defaults to 1,024. */
  readonly bytes?: number;
  /**
   * Writes the unit, and returns the value that its caller receives after the commit. Must be synchronous and
   * free of side effects, because it is called again after a conflict. If it throws, only this unit is
   * rejected, and nothing of it is written.
   */
  write(writer: UnitWriter): T;
}
