import { constants, existsSync, type Stats } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type ArchiveReference, folderOf } from './archive-references.js';
import { BackupError, hasCode } from './backup-error.js';
import type { BackupKeys } from './backup-keys.js';
import type { StoredFile } from './manifest.js';
import {
  checkStoredFile,
  readStoredFile,
  readWhole,
  sha256Of,
  syncDirectory,
  writeStoredFile,
} from './stored-file.js';

const FOLDER = 'archives';
/** Files that are still being written. */
const isTemporary = (name: string): boolean => name.startsWith('.') || /\.(?:tmp|part|partial)$/.test(name);

/** The files in a directory of archives, as paths relative to it. */
async function archivesIn(dir: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  let entries;
  try {
    entries = await readdir(join(dir, below), { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  for (const entry of entries) {
    const path = join(below, entry.name);
    if (isTemporary(entry.name)) continue;
    if (entry.isDirectory()) found.push(...(await archivesIn(dir, path)));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/** A backup that was made earlier in the same directory. */
export interface EarlierBackup {
  path: string;
  files: readonly StoredFile[];
}

export interface ArchiveCopy {
  archiveDir: string;
  /** Directory of the backup. */
  dir: string;
  earlier: EarlierBackup | undefined;
  keys: BackupKeys;
  signal: AbortSignal;
}

/**
 * Copies the archives to a backup. A file that has not changed since the earlier backup is hard-linked to it,
 * which costs no space. Files are created and deleted meanwhile, so they are copied before and after the
 * database. What counts in the end is what the copy of the database refers to.
 */
export class ArchiveCopies {
  private readonly copied = new Map<string, StoredFile>();
  private readonly links = new Set<string>();

  constructor(private readonly options: ArchiveCopy) {}

  get files(): StoredFile[] {
    return [...this.copied.values()];
  }

  /** Number of the files that are hard links to the earlier backup. */
  get linked(): number {
    return this.links.size;
  }

  /** Adds the files that are new or changed; with `references`, only those to which they refer. */
  async addNew(references?: readonly ArchiveReference[]): Promise<void> {
    const folders = references && new Set(references.map(({ folder }) => folder));
    for (const path of await archivesIn(this.options.archiveDir)) {
      if (folders && !folders.has(slashed(dirname(path)))) continue;
      this.options.signal.throwIfAborted();
      const found = await stat(join(this.options.archiveDir, path)).catch(() => undefined);
      // Deleted since the directory was read.
      if (!found) continue;
      const known = this.copied.get(path);
      if (known && isUnchanged(known, found)) continue;
      if (known) await this.drop(path, known);
      const file = (await this.linkEarlier(path, found)) ?? (await this.copy(path, found));
      if (file) this.copied.set(path, file);
    }
  }

  /** Removes the files to which no reference leads: those that an erasure has replaced, for example. */
  async keepOnly(references: readonly ArchiveReference[]): Promise<void> {
    const folders = new Set<string | undefined>(references.map(({ folder }) => folder));
    for (const [path, file] of this.copied) if (!folders.has(folderOf(file))) await this.drop(path, file);
    await removeEmpty(join(this.options.dir, FOLDER));
  }

  private async drop(path: string, { name }: StoredFile): Promise<void> {
    await rm(join(this.options.dir, name), { force: true });
    this.copied.delete(path);
    this.links.delete(path);
  }

  private async linkEarlier(path: string, found: Stats): Promise<StoredFile | undefined> {
    const { earlier, dir, keys, signal } = this.options;
    const file = earlier?.files.find(({ source }) => source?.path === slashed(path));
    if (!earlier || !file || !isUnchanged(file, found) || (file.keyId ?? null) !== keys.current)
      return undefined;
    try {
      // Damage must not be carried on to every later backup.
      await checkStoredFile(earlier.path, file, signal);
    } catch (error) {
      if (error instanceof BackupError) return undefined;
      throw error;
    }
    await linkOrCopy(join(earlier.path, file.name), join(dir, file.name));
    this.links.add(path);
    return file;
  }

  private async copy(path: string, found: Stats): Promise<StoredFile | undefined> {
    const { archiveDir, dir, keys, signal } = this.options;
    const name = `${FOLDER}/${slashed(path)}`;
    try {
      const source = readWhole(join(archiveDir, path));
      // Archives are compressed already.
      const file = await writeStoredFile(source, {
        dir,
        name,
        role: 'archive',
        compress: false,
        keys,
        signal,
      });
      return { ...file, source: { path: slashed(path), bytes: found.size, mtimeMs: found.mtimeMs } };
    } catch (error) {
      // Deleted meanwhile, by retention or an erasure.
      if (!hasCode(error, 'ENOENT')) throw error;
      await rm(join(dir, name), { force: true });
      return undefined;
    }
  }
}

/** Removes the folders without files, whose names would be left of what was dropped. */
async function removeEmpty(dir: string): Promise<void> {
  for (const path of await foldersIn(dir)) {
    await removeEmpty(path);
    if ((await readdir(path)).length === 0) await rmdir(path);
  }
}

async function foldersIn(dir: string): Promise<string[]> {
  if (!existsSync(dir)) return [];
  const entries = await readdir(dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name));
}

const slashed = (path: string): string => path.split(sep).join('/');

const isUnchanged = ({ source }: StoredFile, { size, mtimeMs }: Stats): boolean =>
  source?.bytes === size && source.mtimeMs === mtimeMs;

async function linkOrCopy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  try {
    await link(from, to);
  } catch {
    // Not every file system has hard links, or as many.
    await copyFile(from, to, constants.COPYFILE_EXCL);
    const handle = await open(to, 'r');
    await handle.sync().finally(() => handle.close());
  }
}

export interface ArchiveRestore {
  /** Directory of the backup. */
  dir: string;
  archiveDir: string;
  keys: BackupKeys;
  signal: AbortSignal;
}

const pathOf = (archiveDir: string, { source, name }: StoredFile): string =>
  join(archiveDir, source?.path ?? relative(FOLDER, name));

/**
 * Refuses a directory of archives with files of the same names and other content. Those with the same content,
 * as of a restore that was interrupted or of a directory that was not lost, are kept.
 */
export async function checkArchiveTarget(
  files: readonly StoredFile[],
  { archiveDir, signal }: ArchiveRestore,
): Promise<void> {
  for (const file of files) {
    const path = pathOf(archiveDir, file);
    if (!existsSync(path)) continue;
    const found = await sha256Of(path, signal);
    if (found !== file.plainSha256)
      throw new BackupError(
        `The archive ${path} exists with other content than in the backup. Restore with an empty ARCHIVE_DIR, or move that file away.`,
      );
  }
}

/** Restores the archives that are missing, each completely or not at all. Returns how many. */
export async function restoreArchives(
  files: readonly StoredFile[],
  { dir, archiveDir, keys, signal }: ArchiveRestore,
): Promise<number> {
  let restored = 0;
  for (const file of files) {
    const path = pathOf(archiveDir, file);
    if (await stat(path).catch(() => undefined)) continue;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const draft = join(dirname(path), `.restoring-${file.plainSha256}`);
    await readStoredFile(dir, file, { keys, signal }, async (content) => {
      await pipeline(content, createWriteStream(draft, { mode: 0o600, flush: true }));
    });
    await rename(draft, path);
    await syncDirectory(dirname(path));
    restored++;
  }
  return restored;
}
