import { Injectable } from '@nestjs/common';
import type { RetentionKind } from '../config/index.js';
import { positionBy } from '../database/index.js';
import { dateIdCursor, notFound, type Page, readPage } from '../http/index.js';
import { QueueService } from '../queue/index.js';
import { TenantDirectory } from '../tenant/index.js';
import { ArchiveFiles } from './archive-files.js';
import { ArchiveRestorer, emptyReport, type RestoreReport } from './archive-restorer.js';
import { ArchiveRunRepository } from './archive-run.repository.js';
import { ARCHIVE_LEASE } from './archive-run.service.js';
import {
  type ArchivesQuery,
  type ArchiveView,
  archiveView,
  type RunView,
  type RunsQuery,
  runView,
} from './archive.dto.js';
import { archiveNotReady } from './archive.errors.js';
import { ALL_TENANTS, archiveRestores, archiveRuns, type RunRequestBody } from './archive.queue.js';
import {
  ArchiveChangedError,
  ArchiveRepository,
  isWritten,
  type WrittenArchive,
} from './archive.repository.js';
import type { ArchiveRecord, RunRecord } from './archive.schema.js';
import { Schedules } from './schedule.js';

/** A range of archived data. */
export interface RestoreRange {
  tenantId: string;
  kind?: RetentionKind | undefined;
  /** Only archives with data that was last active in this time. */
  from?: Date | undefined;
  to?: Date | undefined;
  /** Also archives that were restored completely before. */
  again?: boolean | undefined;
}

/** Without the conflicts, which are in the report of each archive. */
export type RangeReport = Omit<RestoreReport, 'conflicts'> & {
  archives: number;
  /** Archives that were left out because they were restored completely before. */
  known: number;
  /** Archives that a run or an erasure is still working on, or has not finished. */
  skipped: number;
};

/** What operators do with archives. */
@Injectable()
export class ArchiveService {
  constructor(
    private readonly archives: ArchiveRepository,
    private readonly runs: ArchiveRunRepository,
    private readonly files: ArchiveFiles,
    private readonly restorer: ArchiveRestorer,
    private readonly schedules: Schedules,
    private readonly tenants: TenantDirectory,
    private readonly queues: QueueService,
  ) {}

  /** Where the archives are kept. */
  get location(): string {
    return this.files.location;
  }

  /**
   * Enqueues a run, and returns the id of its job.
   * @throws ProblemError 404 `tenant_not_found`
   */
  async startRun(request: RunRequestBody): Promise<string> {
    const { tenantId } = request;
    if (tenantId !== undefined && !(await this.tenants.read(tenantId))) throw notFound('tenant', tenantId);
    return (await this.queues.enqueue(archiveRuns, tenantId ?? ALL_TENANTS, request)).id;
  }

  /**
   * Enqueues the restoring of an archive, and returns the id of the job.
   * @throws ProblemError 404 `archive_not_found`, 409 `archive_not_ready`
   */
  async startRestore(id: string): Promise<string> {
    const { tenantId } = await this.ready(id);
    return (await this.queues.enqueue(archiveRestores, tenantId, { archiveId: id })).id;
  }

  /** Newest first. */
  list({ limit, cursor, ...filter }: ArchivesQuery): Promise<Page<ArchiveView>> {
    const from = dateIdCursor.decode(cursor);
    const read = (count: number, after = from): Promise<ArchiveRecord[]> =>
      this.archives.list(filter, count, after);
    const positionOf = positionBy('createdAt');
    return readPage(dateIdCursor, { limit, from, positionOf, read }, archiveView);
  }

  /** Reports of runs, newest first. */
  listRuns({ limit, cursor }: RunsQuery): Promise<Page<RunView>> {
    const from = dateIdCursor.decode(cursor);
    const read = (count: number, after = from): Promise<RunRecord[]> => this.runs.list(count, after);
    return readPage(dateIdCursor, { limit, from, positionOf: positionBy('startedAt'), read }, runView);
  }

  /**
   * Restores one archive, not at the same time as a run.
   * @param progress receives a percentage
   * @throws ProblemError 404 `archive_not_found`, 409 `archive_not_ready`
   */
  restore(
    id: string,
    signal: AbortSignal,
    progress: (percent: number) => Promise<void> = () => Promise.resolve(),
  ): Promise<RestoreReport> {
    return this.schedules.exclusively(ARCHIVE_LEASE, signal, async (held) => {
      const archive = await this.ready(id);
      const { count } = archive.contents;
      try {
        return await this.restorer.restore(archive, held, (done) => progress((100 * done) / count));
      } catch (error) {
        // Its file may have gone before its end was reached.
        const current = await this.archives.find(id).catch(() => archive);
        const isSame = current?.contents?.folder === archive.contents.folder;
        throw isSame ? error : new ArchiveChangedError(id, { cause: error });
      }
    });
  }

  /**
   * Restores all archives in a range, the newest first: what was archived twice is restored as it was last.
   * @param onArchive called after each archive
   */
  async restoreRange(
    { tenantId, kind, from, to, again = false }: RestoreRange,
    signal: AbortSignal,
    onArchive: (archive: ArchiveView, report: RestoreReport) => void,
  ): Promise<RangeReport> {
    const total = { ...emptyReport(), archives: 0, known: 0, skipped: 0 };
    let cursor: string | undefined;
    do {
      const page = await this.list({ tenantId, kind, limit: 100, cursor });
      for (const archive of page.data) {
        // What is still being written is in the database, too.
        if (archive.state === 'writing' || archive.from === null || archive.to === null) continue;
        if ((to && new Date(archive.from) > to) || (from && new Date(archive.to) < from)) continue;
        // What was deleted since then would come back.
        if (archive.restoredAt !== null && !again) {
          total.known++;
          continue;
        }
        if (archive.state !== 'stored') {
          total.skipped++;
          continue;
        }
        const report = await this.restore(archive.id, signal);
        onArchive(archive, report);
        total.archives++;
        total.restored += report.restored;
        total.present += report.present;
        total.conflicting += report.conflicting;
        total.erased += report.erased;
        total.rows += report.rows;
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return total;
  }

  /** Deletes the files of all archives of a tenant that is being deleted, and what reports say about it. */
  async deleteAll(tenantId: string, signal: AbortSignal): Promise<void> {
    await this.runs.forgetTenant(tenantId);
    for (const id of await this.archives.idsOf(tenantId)) {
      signal.throwIfAborted();
      await this.files.deleteAll(id);
    }
  }

  private async ready(id: string): Promise<WrittenArchive> {
    const archive = await this.archives.find(id);
    if (!archive) throw notFound('archive', id);
    if (archive.state !== 'stored' || !isWritten(archive)) throw archiveNotReady(id);
    return archive;
  }
}
