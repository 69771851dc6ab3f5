import { mkdir } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { databaseNameOf } from '../../database/index.js';
import { type ArchiveReference, referencesOf } from './archive-references.js';
import type { BackupKeys } from './backup-keys.js';
import type { StoredCollection, StoredFile } from './manifest.js';
import { sumStore, withStore } from './store-on-disk.js';
import { readStoredFile, readWhole, writeStoredFile } from './stored-file.js';

const DATA_FILE = 'data.mdb';

export interface DatabaseCopy {
  collections: StoredCollection[];
  files: StoredFile[];
  /** The archive files that the copy refers to. */
  archives: ArchiveReference[];
}

export interface CopyTarget {
  /** Directory of the backup. */
  dir: string;
  /** For files that are not part of it. */
  scratch: string;
  keys: BackupKeys;
  signal: AbortSignal;
}

/** Copies an embedded store, which any process may have open. */
export async function backUpStore(
  storeDir: string,
  { dir, scratch, keys, signal }: CopyTarget,
): Promise<DatabaseCopy> {
  const copy = join(scratch, 'copy');
  await EmbeddedMongo.copy(storeDir, copy);
  signal.throwIfAborted();
  const found = await withStore(copy, async (client) => ({
    collections: await sumStore(client, signal),
    archives: await referencesOf(client.db(databaseNameOf(''))),
  }));
  const source = readWhole(join(copy, DATA_FILE));
  const file = await writeStoredFile(source, {
    dir,
    name: `store/${DATA_FILE}`,
    role: 'store',
    compress: true,
    keys,
    signal,
  });
  await rm(copy, { recursive: true });
  return { ...found, files: [file] };
}

/** Writes the store of a backup to a directory that does not exist. */
export async function unpackStore(
  from: string,
  file: StoredFile,
  to: string,
  reading: { keys: BackupKeys; signal: AbortSignal },
): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  await readStoredFile(from, file, reading, async (content) => {
    await pipeline(
      content,
      createWriteStream(join(to, DATA_FILE), { flags: 'wx', mode: 0o600, flush: true }),
    );
  });
}
