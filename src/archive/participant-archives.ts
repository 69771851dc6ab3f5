import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { ArchivableRegistry, type ExactDocument } from '../database/index.js';
import {
  type Counts,
  type ExportedDocument,
  type ParticipantData,
  ParticipantEraser,
  ParticipantHashes,
} from './participant/index.js';
import { ArchiveFiles } from './archive-files.js';
import { ArchiveRepository, isWritten, type WrittenArchive } from './archive.repository.js';
import { Archiver, participantOf } from './archiver.js';
import { shown } from './shown-document.js';

/** How often an erasure looks whether a run has finished the archive that it needs to change, milliseconds. */
const RETRY_MS = 500;

/** How long an erasure waits for that. */
const PATIENCE_MS = 20_000;

/** What archives hold of participants. */
@Injectable()
export class ParticipantArchives implements ParticipantData {
  readonly name = 'archive';

  constructor(
    private readonly archives: ArchiveRepository,
    private readonly archiver: Archiver,
    private readonly files: ArchiveFiles,
    private readonly hashes: ParticipantHashes,
    private readonly kinds: ArchivableRegistry,
    private readonly eraser: ParticipantEraser,
  ) {}

  /** Archives that a run is still working on are changed after it; until then, they are counted. */
  async erase(tenantId: string, participantId: string, signal: AbortSignal): Promise<Counts> {
    const hash = await this.hashes.of(tenantId, participantId);
    const begun = performance.now();
    let archivedRoots = 0;
    for (let archives = await this.archives.ofParticipant(tenantId, hash); ;) {
      for (const archive of archives.filter(({ state }) => state === 'stored')) {
        if (!isWritten(archive)) continue;
        const roots = await this.rootsOf(archive, participantId, signal);
        if (roots.size > 0) await this.archiver.removeRoots(archive, roots, signal);
        // A restore that is in progress ends with an error now, and leaves nothing behind.
        await this.kinds
          .all()
          .find(({ name }) => name === archive.kind)
          ?.purge?.(tenantId, archive._id);
        await this.archives.removeParticipant(archive, hash);
        archivedRoots += roots.size;
      }
      archives = await this.archives.ofParticipant(tenantId, hash);
      if (archives.length === 0 || performance.now() - begun > PATIENCE_MS) return { archivedRoots };
      await delay(RETRY_MS, undefined, { signal });
    }
  }

  /** Counts the archives with data of the participant. */
  async count(tenantId: string, participantId: string): Promise<Counts> {
    const archives = await this.archives.ofParticipant(
      tenantId,
      await this.hashes.of(tenantId, participantId),
    );
    return { archivedRoots: archives.length };
  }

  async *export(tenantId: string, participantId: string): AsyncGenerator<ExportedDocument> {
    const hash = await this.hashes.of(tenantId, participantId);
    for (const archive of await this.archives.ofParticipant(tenantId, hash)) {
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
        const kind = this.kinds.find(archive.kind);
        if (!kind) continue;
        for await (const root of this.files.roots(archive.contents, kind.rootCollection)) {
          const id = participantOf(root);
          if (id !== undefined && id > after) ids.add(id);
        }
      }
    return [...ids].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, limit);
  }

  private async rootsOf(
    { kind: name, contents }: WrittenArchive,
    participantId: string,
    signal?: AbortSignal,
  ): Promise<Set<string>> {
    const kind = this.kinds.find(name);
    const roots = new Set<string>();
    if (!kind) return roots;
    for await (const root of this.files.roots(contents, kind.rootCollection)) {
      signal?.throwIfAborted();
      if (participantOf(root) === participantId) roots.add(idOf(root));
    }
    return roots;
  }
}

const idOf = ({ _id }: ExactDocument): string => String(_id);
