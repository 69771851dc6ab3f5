import { Inject, Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { withRetries } from '../common/index.js';
import { ARCHIVE_SETTINGS, type ArchiveSettings } from '../config/index.js';
import {
  type Archivable,
  ArchivableRegistry,
  decodeExactly,
  duplicateKeyFields,
  type ExactDocument,
  RawDocuments,
} from '../database/index.js';
import { ArchiveFiles, type RowGroup } from './archive-files.js';
import type { ArchivedRow } from './archive-line.js';
import { ArchiveRepository, type WrittenArchive } from './archive.repository.js';
import { Pacer } from './pacer.js';
import { ParticipantEraser } from './participant/index.js';

const DAY_MS = 86_400_000;

/** Maximum number of conflicts in a report. */
const MAX_CONFLICTS = 100;

/** A conversation, transcript or job that was not restored, because something else is stored in its place. */
export interface RestoreConflict {
  id: string;
  reason: string;
}

export interface RestoreReport {
  /** Conversations, transcripts or jobs. */
  restored: number;
  /** Those that were stored already, with the same contents. */
  present: number;
  /** Those that were left out, because what is stored must not be overwritten. */
  conflicting: number;
  /** Those that were left out, because their participant was erased. */
  erased: number;
  /** The first of those in conflict. */
  conflicts: RestoreConflict[];
  /** Documents that were inserted. */
  rows: number;
}

export const emptyReport = (): RestoreReport => ({
  restored: 0,
  present: 0,
  conflicting: 0,
  erased: 0,
  conflicts: [],
  rows: 0,
});

interface Progress {
  report: RestoreReport;
  /** Roots with a conflict. */
  conflicting: Set<string>;
  /** Roots of which a part of the rows has been inserted. */
  begun: Set<string>;
}

const keyOf = (collection: string, id: unknown): string => `${collection} ${String(id)}`;

/** Moves the contents of archives back into the database. The archives stay. */
@Injectable()
export class ArchiveRestorer {
  constructor(
    private readonly archives: ArchiveRepository,
    private readonly files: ArchiveFiles,
    private readonly kinds: ArchivableRegistry,
    private readonly raw: RawDocuments,
    private readonly eraser: ParticipantEraser,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
  ) {}

  /**
   * Inserts what is not stored; never changes what is. May be repeated, also after an interruption. What was
   * restored is not archived again for RETENTION_RESTORED_DAYS.
   * @param onProgress receives the number of roots done so far
   * @throws ArchiveDamagedError, before anything is inserted
   */
  async restore(
    archive: WrittenArchive,
    signal: AbortSignal,
    onProgress: (done: number) => Promise<void> = () => Promise.resolve(),
  ): Promise<RestoreReport> {
    const kind = this.kinds.find(archive.kind);
    if (!kind) throw new Error(`this version of Colloquy has no data of the kind "${archive.kind}"`);
    const { tenantId, contents } = archive;
    const report = emptyReport();
    // Its checksum is known only at its end.
    await this.files.verify(contents, signal);
    const until = new Date(Date.now() + this.settings.RETENTION_RESTORED_DAYS * DAY_MS);
    const erased = await this.erasedRoots(archive, kind, signal);
    report.erased = erased.size;
    // What an interrupted restore of this archive has left behind.
    await kind.purge?.(tenantId, archive._id);
    const state: Progress = { report, conflicting: new Set(), begun: new Set() };
    const pacer = new Pacer();
    let done = 0;
    for await (const group of this.files.groups(contents, kind.rootCollection)) {
      signal.throwIfAborted();
      group.rows = group.rows.filter(({ root }) => !erased.has(root));
      const roots = group.rows.filter(({ collection }) => collection === kind.rootCollection);
      await this.archives.hold(
        tenantId,
        kind.name,
        roots.map(({ root }) => new Types.ObjectId(root)),
        until,
      );
      await withRetries(
        () => this.restoreGroup(kind, archive, group, state),
        // Something was stored after the check for conflicts.
        (error) => duplicateKeyFields(error) !== undefined,
      );
      done += group.roots;
      await onProgress(done);
      await pacer.pause();
    }
    // Those that turned out to be in conflict after a part of their rows.
    if (state.begun.size > 0) await kind.purge?.(tenantId, archive._id);
    await this.archives.restored(archive, report.conflicting === 0 ? new Date() : undefined);
    return report;
  }

  /**
   * The roots of participants who were erased after the archive was made. An erasure removes its data from
   * archives, but files may have come back from a backup.
   */
  private async erasedRoots(
    { tenantId, contents, createdAt }: WrittenArchive,
    kind: Archivable,
    signal: AbortSignal,
  ): Promise<Set<string>> {
    const erased = new Set<string>();
    const known = new Map<string, boolean>();
    for await (const root of this.files.roots(contents, kind.rootCollection)) {
      signal.throwIfAborted();
      const ids = [...kind.participantsOf(root)];
      const unknown = ids.filter((id) => !known.has(id));
      const times =
        unknown.length > 0 ? await this.eraser.erasedAt(tenantId, unknown) : new Map<string, Date>();
      for (const id of unknown) known.set(id, (times.get(id) ?? createdAt) > createdAt);
      if (ids.some((id) => known.get(id))) erased.add(String(root['_id']));
      // Jobs have many strings of their own.
      if (!kind.namesFew) known.clear();
    }
    return erased;
  }

  private async restoreGroup(
    kind: Archivable,
    archive: WrittenArchive,
    { rows }: RowGroup,
    { report, conflicting, begun }: Progress,
  ): Promise<void> {
    const { tenantId, _id: archiveId } = archive;
    const stored = await this.storedOf(kind, tenantId, rows);
    const conflicts = new Map<string, string>();
    const missing: ArchivedRow[] = [];
    for (const row of rows) {
      const { collection, root, document } = row;
      // Until it is restored, a root that was begun is represented by another document.
      const isStored = collection !== kind.rootCollection || !begun.has(root);
      const present = isStored ? stored.byId.get(keyOf(collection, document['_id'])) : undefined;
      if (present === undefined) missing.push(row);
      else if (!kind.isSame(present, document))
        conflicts.set(root, `${collection} ${String(document['_id'])} is stored with other contents`);
      for (const unique of kind.unique) {
        const value: unknown = document[unique.field];
        if (unique.collection !== collection || value === undefined) continue;
        const owner = stored.byKey.get(keyOf(`${collection}.${unique.field}`, value));
        if (owner !== undefined && owner !== String(document['_id']))
          conflicts.set(root, `${collection} ${owner} has the same ${unique.field}`);
      }
    }
    // The root of a large conversation comes in a later group. If one is stored already, it has all its rows.
    const complete = new Set(
      rows.flatMap((row) => (row.collection === kind.rootCollection ? [row.root] : [])),
    );
    const later = new Set(
      missing.flatMap(({ root }) => (complete.has(root) || begun.has(root) ? [] : [root])),
    );
    const filter = { tenantId, _id: { $in: [...later].map((id) => new Types.ObjectId(id)) } };
    if (later.size > 0)
      for await (const bytes of this.raw.find(kind.rootCollection, { filter, projection: { _id: 1 } }))
        conflicts.set(String(decodeExactly(bytes)['_id']), `it is stored with other contents`);
    const wanted = missing.filter(({ root }) => !conflicts.has(root) && !conflicting.has(root));
    const touched = new Set(wanted.map(({ root }) => root));
    if (wanted.length > 0)
      await kind.restore(tenantId, {
        archiveId,
        rows: wanted,
        begun: [...touched].filter((root) => begun.has(root)),
        confirm: () => this.archives.confirmRestore(archive),
      });
    // From here on, nothing is repeated.
    for (const root of touched)
      if (complete.has(root)) begun.delete(root);
      else begun.add(root);
    for (const [id, reason] of conflicts) {
      if (conflicting.has(id)) continue;
      conflicting.add(id);
      report.conflicting++;
      if (report.conflicts.length < MAX_CONFLICTS) report.conflicts.push({ id, reason });
    }
    report.rows += wanted.length;
    const inserted = new Set(wanted.map(({ collection, root }) => keyOf(collection, root)));
    for (const { collection, root } of rows) {
      if (collection !== kind.rootCollection || conflicting.has(root)) continue;
      if (inserted.has(keyOf(collection, root))) report.restored++;
      else report.present++;
    }
  }

  /** What is stored under the ids and unique keys of the rows. */
  private async storedOf(
    kind: Archivable,
    tenantId: string,
    rows: readonly ArchivedRow[],
  ): Promise<{ byId: Map<string, ExactDocument>; byKey: Map<string, string> }> {
    const byId = new Map<string, ExactDocument>();
    const byKey = new Map<string, string>();
    for (const collection of new Set(rows.map((row) => row.collection))) {
      const documents = rows.filter((row) => row.collection === collection).map(({ document }) => document);
      const filter = { tenantId, _id: { $in: documents.map(({ _id }) => _id as Types.ObjectId) } };
      for await (const bytes of this.raw.find(collection, { filter })) {
        const document = decodeExactly(bytes);
        byId.set(keyOf(collection, document['_id']), document);
      }
      for (const { field } of kind.unique.filter((unique) => unique.collection === collection)) {
        const values = documents.flatMap((document) => {
          const value = document[field] as string | undefined;
          return value === undefined ? [] : [value];
        });
        if (values.length === 0) continue;
        const projection = { _id: 1, [field]: 1 } as const;
        const query = { filter: { tenantId, [field]: { $in: values } }, projection };
        for await (const bytes of this.raw.find(collection, query)) {
          const owner = decodeExactly(bytes);
          byKey.set(keyOf(`${collection}.${field}`, owner[field]), String(owner['_id']));
        }
      }
    }
    return { byId, byKey };
  }
}
