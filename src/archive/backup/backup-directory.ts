import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError, hasCode } from './backup-error.js';
import { removeWhole } from './claimed-directory.js';
import { readUnsealedManifest, type Manifest, MANIFEST } from './manifest.js';
import { backupsToDelete, type KeepRules, type KnownBackup } from './rotation.js';
import { syncDirectory } from './stored-file.js';

/** In the directory of the backups: the one that is being written. */
export const IN_PROGRESS = '.in-progress';

const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;

/** The name of a backup: its time in UTC, without colons, which some file systems do not allow. */
export const nameOfBackup = (createdAt: Date): string => createdAt.toISOString().replaceAll(':', '-');

export interface BackupInDirectory {
  name: string;
  path: string;
  manifest: Manifest;
  /** Whether all its files are there with their sizes. */
  isWhole: boolean;
}

async function isWhole(path: string, { files }: Manifest): Promise<boolean> {
  for (const { name, bytes } of files) {
    const found = await stat(join(path, name)).catch(() => undefined);
    if (found?.size !== bytes) return false;
  }
  return true;
}

/**
 * The backups in a directory, the newest first. Everything else in it is left out. Each is only read when it is
 * asked for: the files of one may be many.
 */
export async function* backupsIn(dir: string): AsyncGenerator<BackupInDirectory> {
  const names = (await namesIn(dir)).filter((name) => NAME.test(name));
  for (const name of names.sort().reverse()) {
    const path = join(dir, name);
    const manifest = await readUnsealedManifest(path);
    if (manifest && nameOfBackup(new Date(manifest.createdAt)) === name)
      yield { name, path, manifest, isWhole: await isWhole(path, manifest) };
  }
}

export async function newestWholeBackup(dir: string): Promise<BackupInDirectory | undefined> {
  for await (const backup of backupsIn(dir)) if (backup.isWhole) return backup;
  return undefined;
}

/** What is in a directory; nothing if there is none. */
export async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Flushes the directories of a finished backup, and gives it its name. From then on it exists. */
export async function publishBackup(draft: string, dir: string, name: string): Promise<string> {
  await syncTree(draft);
  const path = join(dir, name);
  await rename(draft, path);
  await syncDirectory(dir);
  return path;
}

async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true }))
    if (entry.isDirectory()) await syncTree(join(dir, entry.name));
  await syncDirectory(dir);
}

/** Deletes the backups that the rules do not keep. Returns their names. */
export async function rotate(dir: string, rules: KeepRules): Promise<string[]> {
  const whole: KnownBackup[] = [];
  // What is left of a damaged backup may still help.
  for await (const { name, manifest, isWhole: isKnownWhole } of backupsIn(dir))
    if (isKnownWhole)
      whole.push({ name, createdAt: new Date(manifest.createdAt), isVerified: manifest.verifiedAt !== null });
  const expired = backupsToDelete(whole, rules);
  for (const { name } of expired) await removeWhole(dir, name);
  return expired.map(({ name }) => name);
}

/**
 * Finds the backup that `from` names: a backup, or a directory of backups, of which the newest whole one is
 * used.
 * @throws BackupError if there is none
 */
export async function findBackup(from: string): Promise<string> {
  const isBackup = await stat(join(from, MANIFEST)).catch(() => undefined);
  if (isBackup) return from;
  const newest = await newestWholeBackup(from);
  if (newest) return newest.path;
  throw new BackupError(
    `There is no whole backup in ${from}. Name the directory of one backup, or the directory in which backups are made.`,
  );
}
