import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { missingFolders, referencesOf } from './archive-references.js';
import { BackupError } from './backup-error.js';
import type { BackupKeys } from './backup-keys.js';
import { unpackStore } from './embedded-backup.js';
import type { Manifest, StoredFile } from './manifest.js';
import { loadDump, type LoadOptions } from './mongodb-dump.js';
import { compareCollections, withStore } from './store-on-disk.js';
import { readStoredFile } from './stored-file.js';

/** The file with the embedded store. @throws BackupError if the manifest has none */
export function storeFileOf({ files }: Manifest): StoredFile {
  const file = files.find(({ role }) => role === 'store');
  if (!file) throw new BackupError('The backup has no file with the store. Use another backup.');
  return file;
}

export interface VerifyOptions {
  keys: BackupKeys;
  signal: AbortSignal;
  /** Directory for the scratch store. */
  scratch: string;
  /** Whether the archives are files in ARCHIVE_DIR, so that the backup has to contain them. */
  hasArchives: boolean;
  /** Called for indexes of MongoDB that the scratch store does not have. Documents are compared all the same. */
  onIndexError: NonNullable<LoadOptions['onIndexError']>;
}

/**
 * Restores a backup into a scratch store, which is deleted, and compares every collection with the manifest.
 * Archives are read to their end, and those that the restored database refers to must be there.
 * @throws BackupError if anything differs
 */
export async function verifyBackup(
  dir: string,
  manifest: Manifest,
  { keys, signal, scratch, hasArchives, onIndexError }: VerifyOptions,
): Promise<void> {
  const store = join(scratch, 'verify');
  const { collections, files, kind } = manifest;
  if (kind === 'embedded') await unpackStore(dir, storeFileOf(manifest), store, { keys, signal });
  const archives = await withStore(store, async (client) => {
    const own = client.db(manifest.database);
    if (kind === 'mongodb') await loadDump(own, collections, { dir, files, keys, signal, onIndexError });
    await compareCollections(({ database }) => client.db(database), collections, { validate: true, signal });
    return referencesOf(own);
  });
  const [missing] = hasArchives ? missingFolders(archives, files) : [];
  if (missing !== undefined)
    throw new BackupError(
      `The backup does not contain the archive ${missing}, to which its database refers, so it cannot be trusted. Keep the older backups, make a new one, and report this.`,
    );
  for (const file of files) if (file.role === 'archive') await readStoredFile(dir, file, { keys, signal });
  await rm(store, { recursive: true, force: true });
}
