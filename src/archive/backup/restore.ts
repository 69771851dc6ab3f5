import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { mongo } from 'mongoose';
import { RESTORE_IN_PROGRESS } from '../../config/index.js';
import { databaseNameOf } from '../../database/index.js';
import type { Logger } from '../../logging/index.js';
import { checkArchiveTarget, restoreArchives } from './archive-copies.js';
import { findBackup, namesIn } from './backup-directory.js';
import { BackupError, explained } from './backup-error.js';
import { BackupKeys } from './backup-keys.js';
import { ClaimedDirectory } from './claimed-directory.js';
import { DatabaseClaim } from './database-claim.js';
import { archiveDirOf, type BackupSettings, storeDirOf } from './directories.js';
import { unpackStore } from './embedded-backup.js';
import { enterErasures, hasMarks, MARKS, marksSince } from './erasure-marks.js';
import { type BackupKind, type Manifest, readManifest } from './manifest.js';
import { connectTo, loadDump } from './mongodb-dump.js';
import { compareCollections, withStore } from './store-on-disk.js';
import { checkStoredFile, syncDirectory } from './stored-file.js';
import { storeFileOf } from './verify-backup.js';

export interface RestoreOptions {
  /** A backup, or a directory of backups, of which the newest is restored. */
  from: string;
  signal: AbortSignal;
}

export interface BackupRestoreReport {
  /** The backup that was restored, and when it was made. */
  backup: string;
  kind: BackupKind;
  createdAt: Date;
  /** Where the data is now: a directory, or the name of a database. */
  target: string;
  collections: number;
  rows: number;
  archives: number;
  /** Participants who are erased again, because they were erased after the backup was made. */
  erasures: number;
  /** Whether there is a file of erasures next to the backup. */
  hasErasures: boolean;
  /** Lines of that file that cannot be read. */
  damagedErasures: number;
  durationMs: number;
}

/** What may be in a DATA_DIR that counts as empty. */
const harmless = new Set(['admin-api-key', 'lost+found', RESTORE_IN_PROGRESS]);

/** Restores one backup. */
class Restore {
  private readonly keys: BackupKeys;
  damagedErasures = 0;

  constructor(
    private readonly settings: BackupSettings,
    private readonly dir: string,
    private readonly manifest: Manifest,
    private signal: AbortSignal,
  ) {
    this.keys = BackupKeys.fromSetting(settings.archive.BACKUP_KEY);
  }

  /** Nothing of the target is changed before every file of the backup is known to be intact. */
  async run(): Promise<{ target: string; archives: number; erasures: number }> {
    for (const file of this.manifest.files) await checkStoredFile(this.dir, file, this.signal);
    const { MONGODB_URI } = this.settings.database;
    return MONGODB_URI === undefined ? this.intoDirectory() : this.intoServer(MONGODB_URI);
  }

  /**
   * Restores into a directory in DATA_DIR, where no service starts meanwhile, and at the end renames the store,
   * which completes the restore.
   */
  private async intoDirectory(): Promise<{ target: string; archives: number; erasures: number }> {
    const dataDir = resolve(this.settings.service.DATA_DIR);
    const storeDir = storeDirOf(this.settings);
    await this.requireEmpty(dataDir, storeDir);
    const claim = await ClaimedDirectory.claim(dataDir, RESTORE_IN_PROGRESS, 'A restore');
    try {
      const draft = join(claim.path, 'store');
      if (this.manifest.kind === 'embedded')
        await unpackStore(this.dir, storeFileOf(this.manifest), draft, this.reading);
      const erasures = await withStore(draft, async (client) => {
        const databaseOf = ({ database }: { database: string }): mongo.Db => client.db(database);
        if (this.manifest.kind === 'mongodb') await this.load(client.db(databaseNameOf('')));
        const own = this.manifest.kind === 'mongodb' ? () => client.db(databaseNameOf('')) : databaseOf;
        return this.finish(own, client.db(databaseNameOf('')));
      });
      const archives = await this.restoreArchives();
      await syncStore(draft);
      await rename(draft, storeDir);
      await syncDirectory(dataDir);
      return { target: dataDir, archives, erasures };
    } finally {
      await claim.remove();
    }
  }

  /**
   * Restores into a database that has a marker in it until the restore is complete. No service starts on a
   * database with a marker, and the next restore deletes what an interrupted one has left.
   */
  private async intoServer(uri: string): Promise<{ target: string; archives: number; erasures: number }> {
    if (this.manifest.kind === 'embedded')
      throw new BackupError(
        'The backup is of an embedded store, and MONGODB_URI is set. Unset MONGODB_URI and restore into an empty DATA_DIR.',
      );
    const client = await connectTo(uri);
    try {
      const database = client.db(databaseNameOf(uri));
      await checkArchiveTarget(this.archiveFiles, this.archiveTarget);
      const claim = await DatabaseClaim.claim(database);
      try {
        this.signal = AbortSignal.any([this.signal, claim.signal]);
        await this.load(database);
        // MongoDB has just built the indexes itself, and `validate` needs more rights than the service has.
        const erasures = await this.finish(() => database, database, false);
        const archives = await this.restoreArchives();
        await claim.complete();
        return { target: database.databaseName, archives, erasures };
      } finally {
        await claim.release();
      }
    } finally {
      await client.close();
    }
  }

  private get reading(): { keys: BackupKeys; signal: AbortSignal } {
    return { keys: this.keys, signal: this.signal };
  }

  private get archiveFiles(): Manifest['files'] {
    return this.manifest.files.filter(({ role }) => role === 'archive');
  }

  private get archiveTarget(): Parameters<typeof restoreArchives>[1] {
    return { dir: this.dir, archiveDir: archiveDirOf(this.settings), ...this.reading };
  }

  private load(database: mongo.Db): Promise<void> {
    const { collections, files } = this.manifest;
    return loadDump(database, collections, { dir: this.dir, files, ...this.reading });
  }

  /** Compares the restored collections with the manifest, then enters the erasures since the backup. */
  private async finish(
    databaseOf: (collection: { database: string }) => mongo.Db,
    own: mongo.Db,
    validate = true,
  ): Promise<number> {
    const { collections, createdAt } = this.manifest;
    await compareCollections(databaseOf, collections, { validate, signal: this.signal });
    const marks = marksSince(dirname(this.dir), new Date(createdAt), () => this.damagedErasures++);
    return enterErasures(own, marks);
  }

  private restoreArchives(): Promise<number> {
    return restoreArchives(this.archiveFiles, this.archiveTarget);
  }

  private async requireEmpty(dataDir: string, storeDir: string): Promise<void> {
    const archiveDir = archiveDirOf(this.settings);
    const ownArchives = relative(dataDir, archiveDir);
    const found = await namesIn(dataDir);
    // Hidden files are drafts of this command, and what file systems add.
    const others = found.filter(
      (name) => !harmless.has(name) && !name.startsWith('.') && ownArchives.split(/[\\/]/)[0] !== name,
    );
    if (existsSync(storeDir))
      throw new BackupError(
        `DATA_DIR ${dataDir} already holds a database. Set DATA_DIR to an empty directory, or move ${storeDir} away.`,
      );
    if (others.length > 0)
      throw new BackupError(
        `DATA_DIR ${dataDir} is not empty: it contains ${others.slice(0, 3).join(', ')}. Set DATA_DIR to an empty directory.`,
      );
    await checkArchiveTarget(this.archiveFiles, this.archiveTarget);
  }
}

/** Flushes a closed store, and removes what its next owner creates. */
async function syncStore(dir: string): Promise<void> {
  for (const name of await readdir(dir))
    if (name !== 'data.mdb') await rm(join(dir, name), { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await syncDirectory(dir);
}

/**
 * Restores a backup into an empty DATA_DIR, or into an empty MongoDB database if MONGODB_URI is set.
 * @throws BackupError that says what to do
 */
export async function restoreBackup(
  settings: BackupSettings,
  logger: Logger,
  { from, signal }: RestoreOptions,
): Promise<BackupRestoreReport> {
  const begun = performance.now();
  const dir = await findBackup(resolve(from));
  const target = settings.database.MONGODB_URI === undefined ? settings.service.DATA_DIR : dir;
  try {
    const manifest = await readManifest(dir, BackupKeys.fromSetting(settings.archive.BACKUP_KEY));
    if (manifest.verifiedAt === null)
      logger.warn({ backup: basename(dir) }, 'this backup was never verified; it is checked now');
    const restore = new Restore(settings, dir, manifest, signal);
    const restored = await restore.run();
    const { damagedErasures } = restore;
    if (damagedErasures > 0)
      logger.warn(
        { file: join(dirname(dir), MARKS), lines: damagedErasures },
        'lines of the erasures cannot be read; if a crash did not cut them off, the participants that they name are back (see docs/recovery.md)',
      );
    const { collections, kind, createdAt } = manifest;
    return {
      ...restored,
      backup: dir,
      kind,
      createdAt: new Date(createdAt),
      collections: collections.length,
      rows: collections.reduce((sum, { count }) => sum + count, 0),
      hasErasures: await hasMarks(dirname(dir)),
      damagedErasures,
      durationMs: Math.round(performance.now() - begun),
    };
  } catch (error) {
    throw explained(error, target);
  }
}
