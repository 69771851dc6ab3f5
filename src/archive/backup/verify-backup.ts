import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from './backup-error.js';
import type { BackupKeys } from './backup-keys.js';
import { unpackStore, verifyStore } from './embedded-backup.js';
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
  /** Called for indexes of MongoDB that the scratch store does not have. Documents are compared all the same. */
  onIndexError: NonNullable<LoadOptions['onIndexError']>;
}

/**
 * Restores a backup into a scratch store, which is deleted, and compares every collection with the manifest.
 * Archives are read to their end.
 * @throws BackupError if anything differs
 */
export async function verifyBackup(
  dir: string,
  manifest: Manifest,
  { keys, signal, scratch, onIndexError }: VerifyOptions,
): Promise<void> {
  const store = join(scratch, 'verify');
  const { collections, files } = manifest;
  if (manifest.kind === 'embedded') {
    await unpackStore(dir, storeFileOf(manifest), store, { keys, signal });
    await verifyStore(store, collections, signal);
  } else {
    await withStore(store, async (client) => {
      const database = client.db(manifest.database);
      await loadDump(database, collections, { dir, files, keys, signal, onIndexError });
      await compareCollections(() => database, collections, { validate: true, signal });
    });
  }
  for (const file of files) if (file.role === 'archive') await readStoredFile(dir, file, { keys, signal });
  await rm(store, { recursive: true, force: true });
}
