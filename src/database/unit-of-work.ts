import type { mongo, Types } from 'mongoose';

/** A stored document, by the fields that every collection has. */
export interface DocumentRef {
  readonly collection: string;
  readonly tenantId: string;
  readonly id: Types.ObjectId;
}

/** Fields to set; one that is `undefined` is removed. */
export type FieldChanges = Readonly<Record<string, unknown>>;

/** A change of one document that is only made while the document still has the fields of `guard`. */
export interface GuardedChange extends DocumentRef {
  /** Fields and the values they must have; `undefined`: the field must be absent. */
  readonly guard: Readonly<Record<string, unknown>>;
  readonly set: FieldChanges;
  /** The error that refuses the unit when the document is gone or has other values. */
  mismatch(): Error;
}

/** Collects what a unit of work writes. Nothing of it is written when `write` throws. */
export interface UnitWriter {
  /** When the unit was handed over; never earlier than the `stamp` of a unit that was handed over before it in this process. */
  readonly stamp: Date;
  /** A document of `refs` as it is now, with what earlier units have changed; null when it does not exist. Not to be changed. */
  get(ref: DocumentRef): mongo.Document | null;
  /** Changes a document of `refs` that exists. */
  set(ref: DocumentRef, changes: FieldChanges): void;
  insert(collection: string, document: mongo.Document): void;
  compareAndSet(change: GuardedChange): void;
}

/** What is written together: all of it, or nothing. */
export interface UnitOfWork<T> {
  /** Documents whose state decides what is written. Units that name the same document are committed in order. */
  readonly refs?: readonly DocumentRef[];
  /** Size of what is written, bytes, as far as it matters for the size of a transaction; default 1,024. */
  readonly bytes?: number;
  /**
   * Says what to write, and returns what the caller is answered with after the commit. Synchronous, and without effects of its own:
   * after a conflict it is called again. An error that it throws refuses this unit alone.
   */
  write(writer: UnitWriter): T;
}
