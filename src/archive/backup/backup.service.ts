import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { programVersion } from '../../config/index.js';
import { databaseNameOf } from '../../database/index.js';
import type { Logger } from '../../logging/index.js';
import { ArchiveCopies, type EarlierBackup } from './archive-copies.js';
import { missingFolders } from './archive-references.js';
import { backupsIn, IN_PROGRESS, nameOfBackup, publishBackup, rotate } from './backup-directory.js';
import { BackupError, explained } from './backup-error.js';
import { BackupKeys } from './backup-keys.js';
import { ClaimedDirectory } from './claimed-directory.js';
import { archiveDirOf, type BackupSettings, storeDirOf } from './directories.js';
import { backUpStore, type CopyTarget, type DatabaseCopy } from './embedded-backup.js';
import { type BackupKind, type Manifest, manifestHead, readManifest, writeManifest } from './manifest.js';
import { connectTo, dumpDatabase } from './mongodb-dump.js';
import { verifyBackup } from './verify-backup.js';

/** How often a backup is begun again because archive files were replaced while the database was copied. */
const ATTEMPTS = 3;

export interface BackupOptions {
  /** Directory of the backups. */
  outDir: string;
  signal: AbortSignal;
  /** Whether the backup is restored into a scratch store and compared. Default: true. */
  verify?: boolean;
  /** Whether old backups are deleted. Default: true. */
  rotate?: boolean;
}

export interface BackupReport {
  /** Directory of the backup. */
  path: string;
  kind: BackupKind;
  createdAt: Date;
  collections: number;
  /** Number of documents. */
  rows: number;
  /** Size of what was backed up, and of the files of the backup. */
  bytes: number;
  storedBytes: number;
  archives: number;
  /** Archives that are hard links to the backup before. */
  linkedArchives: number;
  verified: boolean;
  encrypted: boolean;
  durationMs: number;
  /** Names of the old backups that were deleted. */
  removed: string[];
}

/** Makes backups of the database and the archives, in any process, while the service runs. */
export class BackupService {
  private readonly keys: BackupKeys;

  constructor(
    private readonly settings: BackupSettings,
    private readonly logger: Logger,
  ) {
    this.keys = BackupKeys.fromSetting(settings.archive.BACKUP_KEY);
  }

  /**
   * Makes one backup. Until it is complete, it is in a directory that does not count as one.
   * @throws BackupError that says what to do
   */
  async run({
    outDir,
    signal,
    verify = true,
    rotate: mayRotate = true,
  }: BackupOptions): Promise<BackupReport> {
    const dir = resolve(outDir);
    const archiveDir = archiveDirOf(this.settings);
    if (`${dir}${sep}`.startsWith(`${archiveDir}${sep}`))
      throw new BackupError(
        `${dir} is in the directory of the archives, ${archiveDir}, so each backup would contain the ones before. Use a directory outside of it, on another disk.`,
      );
    const begun = performance.now();
    try {
      const claim = await ClaimedDirectory.claim(dir, IN_PROGRESS, 'A backup');
      let made: Omit<BackupReport, 'durationMs' | 'removed'>;
      try {
        made = await this.make(dir, claim.path, signal, verify);
      } finally {
        await claim.remove();
      }
      const { BACKUP_KEEP_DAILY: daily, BACKUP_KEEP_WEEKLY: weekly } = this.settings.archive;
      const removed = mayRotate ? await rotate(dir, { daily, weekly }) : [];
      const report = { ...made, removed, durationMs: Math.round(performance.now() - begun) };
      this.logger.info({ backup: report }, 'backup made');
      return report;
    } catch (error) {
      throw explained(error, dir);
    }
  }

  private async make(
    dir: string,
    work: string,
    signal: AbortSignal,
    verify: boolean,
  ): Promise<Omit<BackupReport, 'durationMs' | 'removed'>> {
    const [draft, scratch] = [join(work, 'backup'), join(work, 'scratch')];
    for (const path of [draft, scratch]) await mkdir(path, { mode: 0o700 });
    const createdAt = new Date();
    const target = { dir: draft, scratch, keys: this.keys, signal };
    const { copy, archives } = await this.copyData(target, await this.earlier(dir));
    const { collections, files } = copy;
    const kind = this.kind;
    const draftManifest: Manifest = {
      ...manifestHead,
      colloquy: programVersion(),
      kind,
      createdAt: createdAt.toISOString(),
      finishedAt: new Date().toISOString(),
      verifiedAt: null,
      database: this.database,
      collections,
      files: [...files, ...archives.files],
    };
    if (verify)
      await verifyBackup(draft, draftManifest, {
        keys: this.keys,
        signal,
        scratch,
        hasArchives: this.hasArchives,
        onIndexError: (collection, { message }) => {
          this.logger.warn({ collection, reason: message }, 'an index could not be verified');
        },
      });
    const manifest = { ...draftManifest, verifiedAt: verify ? new Date().toISOString() : null };
    await writeManifest(draft, manifest, this.keys);
    signal.throwIfAborted();
    const path = await publishBackup(draft, dir, nameOfBackup(createdAt));
    const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
    return {
      path,
      kind,
      createdAt,
      collections: collections.length,
      rows: total(collections.map(({ count }) => count)),
      bytes: total(manifest.files.map(({ plainBytes }) => plainBytes)),
      storedBytes: total(manifest.files.map(({ bytes }) => bytes)),
      archives: archives.files.length,
      linkedArchives: archives.linked,
      verified: verify,
      encrypted: this.keys.current !== null,
    };
  }

  private get kind(): BackupKind {
    return this.settings.database.MONGODB_URI === undefined ? 'embedded' : 'mongodb';
  }

  private get database(): string {
    return databaseNameOf(this.settings.database.MONGODB_URI ?? '');
  }

  /** Archives in S3 are not part of a backup. */
  private get hasArchives(): boolean {
    return this.settings.archive.ARCHIVE_S3_BUCKET === undefined;
  }

  /**
   * Copies the database with the archive files that this copy refers to, and no others. A file may be created
   * and replaced between the two listings of the files: then the database is copied again.
   */
  private async copyData(
    target: CopyTarget,
    earlier: EarlierBackup | undefined,
  ): Promise<{ copy: DatabaseCopy; archives: ArchiveCopies }> {
    const archiveDir = archiveDirOf(this.settings);
    const { dir, keys, signal } = target;
    const archives = new ArchiveCopies({ archiveDir, dir, earlier, keys, signal });
    for (let attempt = 1; ; attempt++) {
      await archives.addNew();
      const copy = await this.copyDatabase(target);
      await archives.addNew(copy.archives);
      const missing = this.hasArchives ? missingFolders(copy.archives, archives.files) : [];
      if (missing.length === 0) {
        await archives.keepOnly(copy.archives);
        return { copy, archives };
      }
      if (attempt === ATTEMPTS)
        throw new BackupError(
          `The database refers to the archive ${missing[0] ?? ''}, which is missing or truncated in ${archiveDir}${missing.length > 1 ? ` (${missing.length} archives are)` : ''}. Set ARCHIVE_DIR to that of the service. If it is, put the file back from an earlier backup: see "When an archive file is lost" in docs/recovery.md.`,
        );
      this.logger.warn({ missing: missing.length }, 'archives changed during the backup; copying again');
      for (const name of ['store', 'collections'])
        await rm(join(dir, name), { recursive: true, force: true });
    }
  }

  private async copyDatabase(target: CopyTarget): Promise<DatabaseCopy> {
    const { MONGODB_URI } = this.settings.database;
    if (MONGODB_URI === undefined) {
      const storeDir = storeDirOf(this.settings);
      if (!existsSync(join(storeDir, 'data.mdb')))
        throw new BackupError(
          `There is no embedded store in ${storeDir}. Set DATA_DIR to that of the service, or MONGODB_URI if it uses a MongoDB server.`,
        );
      return backUpStore(storeDir, target);
    }
    const client = await connectTo(MONGODB_URI);
    try {
      return await dumpDatabase(client, this.database, target, () =>
        rm(join(target.dir, 'collections'), { recursive: true, force: true }),
      );
    } finally {
      await client.close();
    }
  }

  /** The newest backup whose files can be linked: one that is whole and was not changed. */
  private async earlier(dir: string): Promise<EarlierBackup | undefined> {
    for await (const { path, isWhole } of backupsIn(dir)) {
      if (!isWhole) continue;
      try {
        return { path, files: (await readManifest(path, this.keys)).files };
      } catch (error) {
        if (!(error instanceof BackupError)) throw error;
        this.logger.warn({ backup: path, reason: error.message }, 'an earlier backup cannot be used');
      }
    }
    return undefined;
  }
}
