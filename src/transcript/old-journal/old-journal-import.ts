import { createHash } from 'node:crypto';
import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { deserialize } from 'bson';
import { Types } from 'mongoose';
import { SERVICE_SETTINGS, type ServiceSettings } from '../../config/index.js';
import { DatabaseService, type DatabaseStats } from '../../database/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import { TranscriptStore } from '../transcript-store.js';
import { TranscriptRepository } from '../transcript.repository.js';
import { type AcceptedTranscript, queuedTranscript } from '../transcript.schema.js';
import { TranscriptWorker } from '../transcript.worker.js';
import { hasCode, isOwnerRunning } from './journal-owner.js';
import { readSegment, segmentsOf } from './journal-reader.js';

const FOLDER_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Of a folder that was imported and holds bytes that could not be read: it is kept for the operator. */
const KEPT_SUFFIX = '.unreadable';
const GROUP = 100;

/** Folders of processes that still run are looked at again after this. */
const AGAIN_MS = 30_000;

export interface ImportReport {
  folders: number;
  records: number;
  /** Queued now; the others were there already, or had been deleted. */
  queued: number;
  /** Dead letters whose replay was under way, queued again. */
  replayed: number;
  unreadableBytes: number;
  /** Folders of processes that still run. */
  left: number;
}

type OldRecord = AcceptedTranscript & { _id: Types.ObjectId; createdAt: Date; isReplay?: boolean };

/** The folder below DATA_DIR/journal that earlier versions used with this database. */
export function oldJournalOf({
  kind,
  uri,
  database,
}: Pick<DatabaseStats, 'kind' | 'uri' | 'database'>): string {
  if (kind === 'embedded') return 'transcripts-embedded';
  const hosts = /\/\/([^/?]*)/.exec(uri)?.[1]?.split(',').toSorted().join(',') ?? uri;
  const name = createHash('sha256').update(`${hosts}/${database}`).digest('hex').slice(0, 16);
  return `transcripts-${name}`;
}

/**
 * Queues what earlier versions accepted into a journal on this machine's disk and did not store. A folder is removed after all of it is committed; ids
 * that are there, or were deleted, are left out, so that an import that was interrupted, or runs in two processes, queues each one once.
 */
@Injectable()
export class OldJournalImport implements OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    private readonly worker: TranscriptWorker,
    private readonly database: DatabaseService,
    @Inject(SERVICE_SETTINGS) private readonly settings: ServiceSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleDestroy(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  /** Never rejects: what could not be imported is tried again, and at the next start at the latest. */
  async start(): Promise<void> {
    try {
      const { left, ...report } = await this.run();
      if (report.folders > 0)
        this.logger.info(report, 'transcripts of a journal of an earlier version are queued');
      if (report.unreadableBytes > 0)
        this.logger.error(report, 'parts of the journal cannot be read; its folders are kept');
      if (left === 0) return;
      this.logger.info({ left }, 'journals of earlier versions whose processes still run are imported later');
    } catch (error) {
      this.logger.error(
        { err: error },
        'a journal of an earlier version could not be imported; it is tried again',
      );
    }
    if (this.isOver) return;
    this.timer = setTimeout(() => void this.start(), AGAIN_MS);
    this.timer.unref();
  }

  async run(): Promise<ImportReport> {
    const report: ImportReport = {
      folders: 0,
      records: 0,
      queued: 0,
      replayed: 0,
      unreadableBytes: 0,
      left: 0,
    };
    const root = resolve(this.settings.DATA_DIR, 'journal', oldJournalOf(this.database.stats()));
    for (const name of await foldersOf(root)) {
      const folder = join(root, name);
      if (await isOwnerRunning(folder)) {
        report.left++;
        continue;
      }
      try {
        await this.importFolder(folder, report);
        report.folders++;
      } catch (error) {
        // Another process on this DATA_DIR has imported it meanwhile.
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
    if (report.left === 0) await removeEmpty(root, resolve(root, '..'));
    if (report.queued + report.replayed > 0) this.worker.accepted(report.queued + report.replayed);
    return report;
  }

  private async importFolder(folder: string, report: ImportReport): Promise<void> {
    let unreadable = 0;
    for (const path of await segmentsOf(folder)) {
      const segment = await readSegment(path);
      unreadable += segment.unreadableBytes;
      for (let from = 0; from < segment.records.length; from += GROUP) {
        const records = segment.records
          .slice(from, from + GROUP)
          .map((bytes) => deserialize(bytes) as OldRecord);
        await this.importRecords(records, report);
      }
    }
    report.unreadableBytes += unreadable;
    if (unreadable === 0) await rm(folder, { recursive: true, force: true });
    else await rename(folder, `${folder}${KEPT_SUFFIX}`);
  }

  private async importRecords(records: readonly OldRecord[], report: ImportReport): Promise<void> {
    report.records += records.length;
    const byTenant = new Map<string, OldRecord[]>();
    for (const record of records)
      byTenant.set(record.tenantId, [...(byTenant.get(record.tenantId) ?? []), record]);
    for (const [tenantId, all] of byTenant) {
      const replays = all.filter(({ isReplay }) => isReplay).map(({ _id }) => _id);
      if (replays.length > 0) report.replayed += await this.store.requeue(tenantId, replays);
      const items = all.filter(({ isReplay }) => !isReplay);
      const deleted = await this.transcripts.deleted(
        tenantId,
        items.map(({ _id }) => _id),
      );
      report.queued += await this.transcripts.insertMissing(
        items.filter(({ _id }) => !deleted.has(_id.toHexString())).map(queued),
      );
    }
  }
}

const queued = ({ _id, createdAt, ...accepted }: OldRecord): ReturnType<typeof queuedTranscript> =>
  queuedTranscript(_id, accepted, { createdAt, queuedAt: createdAt }, { isNamed: true });

async function foldersOf(root: string): Promise<string[]> {
  try {
    return (await readdir(root)).filter((name) => FOLDER_NAME.test(name));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** What is not empty stays: folders that were kept, files that earlier versions set aside as damaged. */
async function removeEmpty(...folders: readonly string[]): Promise<void> {
  for (const folder of folders) await rmdir(folder).catch(() => undefined);
}
