import { Inject, Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../config/index.js';
import {
  type Archivable,
  ArchivableRegistry,
  decodeExactly,
  type DueRoot,
  type ExactDocument,
  TransactionRunner,
} from '../database/index.js';
import { ArchiveFileMissingError } from './archive-store.js';
import { ArchiveDamagedError, ArchiveFiles, type DatedRow } from './archive-files.js';
import { rawOf } from './archive-line.js';
import { ArchiveRepository, isWritten, type WrittenArchive } from './archive.repository.js';
import { ANYONE, type ArchiveContents, type ArchiveRecord, type RunResult } from './archive.schema.js';
import { Failures } from './failures.js';
import { Pacer } from './pacer.js';
import { ParticipantHashes } from './participant/index.js';

/** Maximum number of roots that are read together. */
const READ_AT_ONCE = 100;

/** Number of roots that one transaction releases. */
const RELEASED_AT_ONCE = 20;

/** Which data to archive. */
export interface ArchiveScope {
  kind: Archivable;
  tenantId: string;
  /** Data without an activity since then is due. */
  before: Date;
}

export const emptyTotals = (): Omit<RunResult, 'tenantId' | 'kind'> => ({
  archived: 0,
  changed: 0,
  kept: 0,
  rows: 0,
  freedBytes: 0,
  archiveBytes: 0,
  archives: 0,
  durationMs: 0,
});

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** Reads the due roots of a scope one page after the other. */
class DueRoots {
  private last: DueRoot | undefined;
  isComplete = false;

  constructor(
    private readonly scope: ArchiveScope,
    private readonly archives: ArchiveRepository,
    private readonly atOnce: number,
  ) {}

  /** The next roots that are due and not held; none only at the end. */
  async next(): Promise<DueRoot[]> {
    const { kind, tenantId, before } = this.scope;
    while (!this.isComplete) {
      const found = await kind.due(tenantId, before, this.last, this.atOnce);
      this.last = found.at(-1) ?? this.last;
      // Fewer than asked for may be returned before the end.
      if (found.length === 0) this.isComplete = true;
      const ids = found.map(({ id }) => id);
      const held = await this.archives.held(tenantId, kind.name, ids, new Date());
      const due = found.filter(({ id }) => !held.has(id.toHexString()));
      if (due.length > 0) return due;
    }
    return [];
  }
}

/**
 * Moves data to archives. Nothing is deleted from the database before it has been written to a file and read
 * back. Each step can be interrupted at any time: `resume` continues or discards what was begun.
 *
 * Data is read without locking it. It is deleted only if it has not changed since; otherwise it stays in the
 * database and is removed from the archive.
 */
@Injectable()
export class Archiver {
  constructor(
    private readonly archives: ArchiveRepository,
    private readonly files: ArchiveFiles,
    private readonly kinds: ArchivableRegistry,
    private readonly transactions: TransactionRunner,
    private readonly hashes: ParticipantHashes,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
  ) {}

  /** Counts what `archive` would archive. Reads all of it. */
  async preview(scope: ArchiveScope, signal: AbortSignal): Promise<RunResult> {
    const begun = performance.now();
    const result: RunResult = { tenantId: scope.tenantId, kind: scope.kind.name, ...emptyTotals() };
    const due = this.dueRoots(scope);
    const pacer = new Pacer();
    for (let roots = await due.next(); roots.length > 0; roots = await due.next()) {
      const ids = roots.map(({ id }) => id);
      result.archived += ids.length;
      for await (const { bytes } of scope.kind.rows(scope.tenantId, ids)) {
        signal.throwIfAborted();
        result.rows++;
        result.freedBytes += bytes.byteLength;
        await pacer.pause();
      }
    }
    result.kept = (await scope.kind.count(scope.tenantId)) - result.archived;
    result.durationMs = performance.now() - begun;
    return result;
  }

  /** Archives everything that is due. */
  async archive(scope: ArchiveScope, signal: AbortSignal): Promise<RunResult> {
    const begun = performance.now();
    const result: RunResult = { tenantId: scope.tenantId, kind: scope.kind.name, ...emptyTotals() };
    const due = this.dueRoots(scope);
    while (!due.isComplete) {
      const written = await this.write(scope, due, signal);
      if (!written) break;
      const changed = await this.release(written, scope.kind, signal);
      const stored = await this.archives.find(written._id.toHexString());
      result.changed += changed;
      if (!stored || !isWritten(stored)) continue;
      const { count, rows, storedBytes, bytes } = stored.contents;
      result.archived += count;
      result.rows += sum(rows);
      result.freedBytes += storedBytes;
      result.archiveBytes += bytes;
      result.archives++;
    }
    result.kept = await scope.kind.count(scope.tenantId);
    result.durationMs = performance.now() - begun;
    return result;
  }

  /**
   * Continues or discards the archives of interrupted runs. Returns their number. One that cannot be continued
   * does not keep the others from it. Must not be called while a run is in progress.
   * @throws the first error, at the end
   */
  async resume(tenantId: string | undefined, signal: AbortSignal): Promise<number> {
    const failures = new Failures(signal);
    const unfinished = await this.archives.unfinished(tenantId);
    for (const archive of unfinished) await failures.collect(() => this.resumeOne(archive, signal));
    failures.throwFirst();
    return unfinished.length;
  }

  private async resumeOne(archive: ArchiveRecord, signal: AbortSignal): Promise<void> {
    if (!isWritten(archive)) return this.discard(archive);
    if (archive.state === 'cleaning') return this.clean(archive);
    const kind = this.kinds.find(archive.kind);
    // A later version may have had further kinds.
    if (!kind) return;
    try {
      await this.release(archive, kind, signal);
    } catch (error) {
      // Nothing has been deleted from the database.
      const isUnreadable = error instanceof ArchiveDamagedError || error instanceof ArchiveFileMissingError;
      if (!isUnreadable || archive.released > 0) throw error;
      await this.abandon(archive);
    }
  }

  /**
   * Replaces the file of an archive by one without some of its roots; without any rows, the archive is
   * deleted. Its rows must not be in the database, unless they are among those removed.
   */
  async removeRoots(archive: WrittenArchive, roots: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { contents } = archive;
    const { from, to } = contents;
    const rest = await this.files.write(archive, this.without(contents, roots), signal);
    if (!rest) return this.abandon(archive);
    const replaced: WrittenArchive = { ...archive, contents: { ...rest, from, to } };
    await this.archives.replaced(archive, contents.folder, replaced.contents);
    await this.clean(replaced);
  }

  private dueRoots(scope: ArchiveScope): DueRoots {
    return new DueRoots(scope, this.archives, Math.min(READ_AT_ONCE, this.settings.ARCHIVE_MAX_ROWS));
  }

  /** Writes the next archive of the scope. Returns undefined if nothing is due. */
  private async write(
    scope: ArchiveScope,
    due: DueRoots,
    signal: AbortSignal,
  ): Promise<WrittenArchive | undefined> {
    const first = await due.next();
    if (first.length === 0) return undefined;
    const archive = await this.archives.begin(scope.tenantId, scope.kind.name);
    try {
      const participants = new Set<string>();
      const contents = await this.files.write(archive, this.rowsOf(scope, first, due, participants), signal);
      if (!contents) {
        // All of it was deleted in the meantime.
        await this.archives.delete(archive);
        return await this.write(scope, due, signal);
      }
      const hashes: string[] = scope.kind.namesFew ? [] : [ANYONE];
      for (const id of participants) hashes.push(await this.hashes.of(scope.tenantId, id));
      await this.archives.written(archive, contents, hashes);
      return { ...archive, state: 'releasing', contents };
    } catch (error) {
      await this.abandon(archive).catch(() => undefined);
      throw error;
    }
  }

  private async *rowsOf(
    { kind, tenantId }: ArchiveScope,
    first: readonly DueRoot[],
    due: DueRoots,
    participants: Set<string>,
  ): AsyncGenerator<DatedRow> {
    let rows = 0;
    for (let roots = first; roots.length > 0; roots = await due.next()) {
      const times = new Map(roots.map(({ id, at }) => [id.toHexString(), at]));
      const ids = roots.map(({ id }) => id);
      for await (const row of kind.rows(tenantId, ids)) {
        const at = times.get(row.root.toHexString());
        if (!at) continue;
        rows++;
        if (kind.namesFew && row.collection === kind.rootCollection) {
          for (const id of kind.participantsOf(decodeExactly(row.bytes))) participants.add(id);
        }
        yield { ...row, at };
      }
      if (rows >= this.settings.ARCHIVE_MAX_ROWS) return;
    }
  }

  /**
   * Deletes the rows of a verified archive from the database. Returns the number of roots that stay there
   * because they have changed.
   */
  private async release(archive: WrittenArchive, kind: Archivable, signal: AbortSignal): Promise<number> {
    const { contents, tenantId, _id } = archive;
    const changed = new Set(archive.changed.map((id) => id.toHexString()));
    await kind.purge?.(tenantId, _id);
    // An interrupted release may have ended after the file was replaced.
    await this.files.deleteAll(_id, contents.folder);
    let done = 0;
    let batch: ExactDocument[] = [];
    const pacer = new Pacer();
    const releaseBatch = async (): Promise<void> => {
      signal.throwIfAborted();
      const from = done;
      const roots = batch;
      const stay = await this.transactions.run(async () => {
        const released = await kind.release(tenantId, _id, roots);
        const gone = new Set(released.map((id) => id.toHexString()));
        const kept = roots.map(idOf).filter((id) => !gone.has(id.toHexString()));
        await this.archives.released(archive, from, roots.length, kept);
        return kept;
      });
      for (const id of stay) changed.add(id.toHexString());
      await kind.purge?.(tenantId, _id);
      done += roots.length;
      batch = [];
      await pacer.pause();
    };
    for await (const root of this.files.roots(contents, kind.rootCollection)) {
      if (done < archive.released) {
        done++;
        continue;
      }
      batch.push(versionOf(root, kind));
      if (batch.length === RELEASED_AT_ONCE) await releaseBatch();
    }
    if (batch.length > 0) await releaseBatch();
    if (changed.size > 0) await this.removeRoots(archive, changed, signal);
    else await this.archives.stored(archive);
    return changed.size;
  }

  private async *without(contents: ArchiveContents, roots: ReadonlySet<string>): AsyncGenerator<DatedRow> {
    for await (const row of this.files.rows(contents))
      if (!roots.has(row.root)) yield { ...rawOf(row), at: contents.from };
  }

  private async clean(archive: WrittenArchive): Promise<void> {
    await this.files.deleteAll(archive._id, archive.contents.folder);
    await this.archives.stored(archive);
  }

  /** The record comes first: what it says is in files must be there. */
  private async abandon(archive: ArchiveRecord): Promise<void> {
    await this.archives.abandoned(archive);
    await this.discard(archive);
  }

  private async discard(archive: ArchiveRecord): Promise<void> {
    await this.files.deleteAll(archive._id);
    await this.archives.delete(archive);
  }
}

/** What is needed to find out whether a root has changed: it may be large itself. */
const versionOf = (root: ExactDocument, { versionFields }: Archivable): ExactDocument =>
  Object.fromEntries(['_id', ...versionFields].flatMap((name) => (name in root ? [[name, root[name]]] : [])));

const idOf = (root: ExactDocument): Types.ObjectId => root['_id'] as Types.ObjectId;
