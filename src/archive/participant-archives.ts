import { Injectable } from '@nestjs/common';
import { type Archivable, ArchivableRegistry } from '../database/index.js';
import {
  type Counts,
  ErasedIdStore,
  erasureUnfinished,
  type ExportedDocument,
  type ParticipantData,
  ParticipantEraser,
  ParticipantHashes,
} from './participant/index.js';
import { ArchiveFiles } from './archive-files.js';
import { ARCHIVE_LEASE } from './archive-run.service.js';
import { ArchiveRepository, isWritten, type WrittenArchive } from './archive.repository.js';
import type { ArchiveRecord } from './archive.schema.js';
import { Archiver } from './archiver.js';
import { Schedules } from './schedule.js';
import { shown } from './shown-document.js';

/** How long an erasure waits for a run or a restore that is in progress, milliseconds. */
const PATIENCE_MS = 20_000;

/** Ids that are hashed and stored at once. */
const REMEMBERED_AT_ONCE = 500;

/** What archives hold of participants. */
@Injectable()
export class ParticipantArchives implements ParticipantData {
  readonly name = 'archive';

  constructor(
    private readonly archives: ArchiveRepository,
    private readonly archiver: Archiver,
    private readonly files: ArchiveFiles,
    private readonly hashes: ParticipantHashes,
    private readonly erasedIds: ErasedIdStore,
    private readonly kinds: ArchivableRegistry,
    private readonly eraser: ParticipantEraser,
    private readonly schedules: Schedules,
  ) {}

  /**
   * Archives are changed by one process at a time.
   * @throws ProblemError 503 `erasure_unfinished` while a run or a restore is in progress
   */
  async erase(tenantId: string, participantId: string, signal: AbortSignal): Promise<Counts> {
    const { archivedRoots } = await this.count(tenantId, participantId, signal);
    if (archivedRoots === 0) return { archivedRoots };
    return this.withPatience(signal, async (held) => {
      // What an interrupted run has left may have data of anyone.
      const resumed = await Promise.allSettled([this.archiver.resume(tenantId, held)]);
      let erased = 0;
      for (const archive of await this.ofParticipant(tenantId, participantId)) {
        if (archive.state !== 'stored' || !isWritten(archive))
          throw erasureUnfinished(resumed[0].status === 'rejected' ? resumed[0].reason : undefined);
        erased += await this.eraseFrom(archive, participantId, held);
      }
      return { archivedRoots: erased };
    });
  }

  /** Counts conversations, transcripts and jobs, and each archive that is not complete, because it may have some. */
  async count(
    tenantId: string,
    participantId: string,
    signal?: AbortSignal,
  ): Promise<{ archivedRoots: number }> {
    let archivedRoots = 0;
    for (const archive of await this.ofParticipant(tenantId, participantId))
      archivedRoots +=
        archive.state === 'stored' && isWritten(archive)
          ? (await this.rootsOf(archive, participantId, signal)).size
          : 1;
    return { archivedRoots };
  }

  async *export(tenantId: string, participantId: string): AsyncGenerator<ExportedDocument> {
    for (const archive of await this.ofParticipant(tenantId, participantId)) {
      // What is not stored yet is still in the database.
      if (archive.state === 'writing' || !isWritten(archive)) continue;
      const roots = await this.rootsOf(archive, participantId);
      for await (const { collection, root, document } of this.files.rows(archive.contents))
        if (roots.has(root)) yield { kind: `archived:${collection}`, document: shown(document) };
    }
  }

  /**
   * Only participants in archives that have data of one whose erasure is pending: for those of whom nothing is left
   * in the database, after a backup was restored.
   */
  async participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    const ids = new Set<string>();
    for (const hash of await this.eraser.pendingHashes(tenantId))
      for (const archive of await this.archives.ofParticipant(tenantId, hash)) {
        if (!isWritten(archive)) continue;
        const kind = this.kindOf(archive);
        // The other kinds name anything.
        if (!kind.namesFew) continue;
        for await (const root of this.files.roots(archive.contents, kind.rootCollection))
          for (const id of kind.participantsOf(root)) if (id > after) ids.add(id);
      }
    return [...ids].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, limit);
  }

  private async ofParticipant(tenantId: string, participantId: string): Promise<ArchiveRecord[]> {
    return this.archives.ofParticipant(tenantId, await this.hashes.of(tenantId, participantId));
  }

  /** Waits only for a while: the sweep of erasures tries again. */
  private async withPatience<T>(signal: AbortSignal, work: (held: AbortSignal) => Promise<T>): Promise<T> {
    const patience = new AbortController();
    const timer = setTimeout(() => {
      patience.abort(erasureUnfinished());
    }, PATIENCE_MS);
    try {
      return await this.schedules.exclusively(
        ARCHIVE_LEASE,
        AbortSignal.any([signal, patience.signal]),
        (held) => {
          clearTimeout(timer);
          return work(held);
        },
      );
    } catch (error) {
      throw patience.signal.aborted ? erasureUnfinished() : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Returns the number of roots. */
  private async eraseFrom(
    archive: WrittenArchive,
    participantId: string,
    signal: AbortSignal,
  ): Promise<number> {
    const { tenantId, _id } = archive;
    const kind = this.kindOf(archive);
    const roots = await this.rootsOf(archive, participantId, signal);
    if (roots.size > 0) {
      await this.rememberIds(archive, kind, roots, signal);
      await this.archiver.removeRoots(archive, roots, signal);
    }
    // A restore that has lost its claim ends with an error now, and leaves nothing behind.
    await kind.purge?.(tenantId, _id);
    await this.archives.removeParticipant(archive, await this.hashes.of(tenantId, participantId));
    return roots.size;
  }

  /** So that a provider that sends a message again does not bring it back. */
  private async rememberIds(
    { tenantId, contents }: WrittenArchive,
    { unique }: Archivable,
    roots: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { collection, field, erasedAs } of unique) {
      let ids: string[] = [];
      for await (const row of this.files.rows(contents)) {
        signal.throwIfAborted();
        const id: unknown = row.document[field];
        if (row.collection !== collection || !roots.has(row.root) || typeof id !== 'string') continue;
        if (ids.push(id) < REMEMBERED_AT_ONCE) continue;
        await this.erasedIds.remember(tenantId, erasedAs, ids);
        ids = [];
      }
      await this.erasedIds.remember(tenantId, erasedAs, ids);
    }
  }

  private async rootsOf(
    archive: WrittenArchive,
    participantId: string,
    signal?: AbortSignal,
  ): Promise<Set<string>> {
    const kind = this.kindOf(archive);
    const { contents, state, released, changed } = archive;
    const roots = new Set<string>();
    // Of an archive that is not complete, only some roots are no longer in the database.
    const end = state === 'releasing' ? released : Infinity;
    let position = 0;
    for await (const root of this.files.roots(contents, kind.rootCollection)) {
      signal?.throwIfAborted();
      if (position++ >= end) continue;
      for (const id of kind.participantsOf(root))
        if (id === participantId) {
          roots.add(String(root['_id']));
          break;
        }
    }
    for (const id of changed) roots.delete(id.toHexString());
    return roots;
  }

  /** @throws Error for an archive of a later version */
  private kindOf({ _id, kind: name }: ArchiveRecord): Archivable {
    const kind = this.kinds.find(name);
    if (kind) return kind;
    throw new Error(
      `The archive ${_id.toHexString()} has data of the kind "${name}", which this version of Colloquy does not know. Use the version that wrote it.`,
    );
  }
}
