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
/** Suffix of an imported folder that contains unreadable bytes and is kept for the operator. */
const KEPT_SUFFIX = '.unreadable';
const GROUP = 100;

/** Delay before folders of processes that are still running are checked again. */
const AGAIN_MS = 30_000;

export interface ImportReport {
  folders: number;
  records: number;
  /** Newly queued records; the others already existed or had been deleted. */
  queued: number;
  /** Dead letters that were being replayed and are queued again. */
  replayed: number;
  unreadableBytes: number;
  /** Folders of processes that are still running. */
  left: number;
}

type OldRecord = AcceptedTranscript & { _id: Types.ObjectId; createdAt: Date; isReplay?: boolean };

/** The folder below DATA_DIR/journal that earlier versions used for this database. */
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
 * Queues the transcripts that earlier versions accepted into a journal on local disk but did not store. A
 * folder is removed once its contents are committed. Ids that exist or were deleted are skipped, so an import
 * that is interrupted or runs in two processes queues each transcript once.
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

  /** Never rejects. A failed import is retried after a delay, or at the next start. */
  async start(): Promise<void> {
    try {
      const { left, ...report } = await this.run();
      if (report.folders > 0)
        this.logger.info(report, 'queued transcripts from the journal of an earlier version');
      if (report.unreadableBytes > 0)
        this.logger.error(report, 'parts of the journal are unreadable; the affected folders are kept');
      if (left === 0) return;
      this.logger.info({ left }, 'journals whose processes are still running will be imported later');
    } catch (error) {
      this.logger.error({ err: error }, 'could not import the journal of an earlier version; retrying later');
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
        // Another process with the same DATA_DIR has imported it in the meantime.
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

/**
 * Folders that are not empty stay: they hold unreadable data, or files that earlier versions set aside as
 * damaged.
 */
async function removeEmpty(...folders: readonly string[]): Promise<void> {
  for (const folder of folders) await rmdir(folder).catch(() => undefined);
}
