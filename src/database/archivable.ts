import { Injectable } from '@nestjs/common';
import type { Types } from 'mongoose';
import type { RetentionKind } from '../config/index.js';
import type { ExactDocument, RawRow } from './raw-documents.js';

/** A document that is due, with the documents that belong to it. */
export interface DueRoot {
  id: Types.ObjectId;
  /** What makes it due: its last activity, creation or end. */
  at: Date;
}

/** A row to be restored. */
export interface ExactRow {
  collection: string;
  /** Id of the root that it belongs to. */
  root: string;
  document: ExactDocument;
}

/** Rows to be inserted in one transaction. */
export interface RowsToRestore {
  archiveId: Types.ObjectId;
  /** All rows of each root with the root itself, or a part of the rows of a root that follows later. */
  rows: readonly ExactRow[];
  /** Those of the roots of which other rows have been inserted already. */
  begun: readonly string[];
  /** To be called in the transaction. Throws if the archive is no longer as it was when the rows were read. */
  confirm: () => Promise<void>;
}

/**
 * One kind of data that can be moved to an archive and back. It consists of roots, such as conversations,
 * each with the rows that belong to it, such as messages. A module contributes it to `ArchivableRegistry`.
 */
export interface Archivable {
  readonly name: RetentionKind;
  readonly rootCollection: string;
  /** Fields of a root by which `release` notices that it has changed, besides `_id`. */
  readonly versionFields: readonly string[];
  /** Fields with a unique index besides `_id`: ids of the sender, which are refused once they have been erased. */
  readonly unique: readonly { collection: string; field: string; erasedAs: 'message' | 'transcript' }[];
  /** Whether a root names few participants, so that an archive can store keyed hashes of all of them. */
  readonly namesFew: boolean;
  /** Ids of all participants that the root belongs to, perhaps among other strings. */
  participantsOf(root: ExactDocument): Iterable<string>;
  /** Roots of the tenant with `at` before `before`, oldest first by (`at`, `id`), after the given one. */
  due(tenantId: string, before: Date, after: DueRoot | undefined, limit: number): Promise<DueRoot[]>;
  /** Number of roots of the tenant, due or not. */
  count(tenantId: string): Promise<number>;
  /**
   * All rows of these roots, one root after the other. A root comes after its other rows, but is read before
   * them, so that `release` notices a change made in between.
   */
  rows(tenantId: string, ids: readonly Types.ObjectId[]): AsyncIterable<RawRow>;
  /**
   * Called in a transaction: removes the roots, or hides them from all reads and writes, unless they have
   * changed since the given versions were read. A version has `_id` and `versionFields` only. Returns the ids of
   * those that were removed.
   */
  release(
    tenantId: string,
    archiveId: Types.ObjectId,
    versions: readonly ExactDocument[],
  ): Promise<Types.ObjectId[]>;
  /**
   * Called after the commit: deletes what `release` has only hidden. Also deletes the rows of roots that were
   * not restored to the end. May be repeated.
   */
  purge?(tenantId: string, archiveId: Types.ObjectId): Promise<void>;
  /**
   * Inserts rows that are not stored, in one transaction. Rows whose root follows later stay hidden from all
   * reads until then.
   */
  restore(tenantId: string, group: RowsToRestore): Promise<void>;
  /** Whether a stored document and its archived version have the same contents. */
  isSame(stored: ExactDocument, archived: ExactDocument): boolean;
}

/** The kinds of data that can be archived. Complete once all modules are created. */
@Injectable()
export class ArchivableRegistry {
  private readonly kinds = new Map<RetentionKind, Archivable>();

  /**
   * Call in the constructor of a provider.
   * @throws Error if the name is taken
   */
  contribute(kind: Archivable): void {
    if (this.kinds.has(kind.name)) throw new Error(`there are two kinds of archivable data "${kind.name}"`);
    this.kinds.set(kind.name, kind);
  }

  all(): Archivable[] {
    return [...this.kinds.values()];
  }

  find(name: string): Archivable | undefined {
    return this.kinds.get(name as RetentionKind);
  }
}
