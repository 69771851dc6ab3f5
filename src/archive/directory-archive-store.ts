import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { syncDirectory } from './backup/stored-file.js';
import { ArchiveFileMissingError, type ArchiveStore } from './archive-store.js';

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');

const temporary = '.tmp';

/** Keeps archive files in a directory that only this user can read. */
export class DirectoryArchiveStore implements ArchiveStore {
  constructor(readonly location: string) {}

  async write(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.location, name);
    const folder = dirname(path);
    const created = await mkdir(folder, { recursive: true, mode: 0o700 });
    const partial = `${path}.${randomUUID()}${temporary}`;
    try {
      const file = await open(partial, 'wx', 0o600);
      try {
        for await (const chunk of content) await file.writeFile(chunk);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    await syncDirectory(folder);
    if (created === undefined) return;
    // From the new folder up to the one in which the first was created.
    for (let at = folder; at.length >= created.length; at = dirname(at)) await syncDirectory(dirname(at));
  }

  async *read(name: string): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of createReadStream(join(this.location, name))) yield chunk as Uint8Array;
    } catch (error) {
      throw isMissing(error) ? new ArchiveFileMissingError(name, this.location) : error;
    }
  }

  /** Includes temporary files of interrupted writes. */
  async *list(prefix: string): AsyncGenerator<string> {
    let entries;
    try {
      entries = await readdir(join(this.location, prefix), { withFileTypes: true, recursive: true });
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      yield relative(this.location, path).replaceAll(sep, '/');
    }
  }

  async delete(name: string): Promise<void> {
    const path = join(this.location, name);
    await rm(path, { force: true });
    let folder = dirname(path);
    while (folder.length > this.location.length) {
      try {
        await rmdir(folder);
      } catch (error) {
        // It has other files. If it is missing, only its parent can be flushed.
        if (!isMissing(error)) break;
      }
      folder = dirname(folder);
    }
    // Otherwise the file, or its folder with it, might be back after a power failure.
    await syncDirectory(folder).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}
