import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';

/** One open file of a journal. */
export interface JournalFile {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Resolves when what was written is on disk (fdatasync). */
  sync(): Promise<void>;
  /** Up to `length` bytes from `position`; fewer at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  size(): Promise<number>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The calls through which a journal reaches its segments; specs put faults and counters here. */
export interface JournalFs {
  /** `new`: fails when the file exists. `update`: makes it if need be. */
  open(path: string, mode: 'new' | 'update' | 'read'): Promise<JournalFile>;
  list(dir: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; a missing one is no error. */
  remove(path: string): Promise<void>;
  /** Makes the names in `dir` durable, as a new file's data without its name would be lost. */
  syncDirectory(dir: string): Promise<void>;
}

class DiskFile implements JournalFile {
  constructor(private readonly handle: FileHandle) {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  sync(): Promise<void> {
    return this.handle.datasync();
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.handle.read(buffer, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  truncate(length: number): Promise<void> {
    return this.handle.truncate(length);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

// Opened without O_CREAT first: 'update' must not truncate what is there, and the flag for "make it, keep it, write anywhere" is
// not among Node's letters ('a+' writes at the end only).
async function openForUpdate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return open(path, 'wx+', 0o600);
  }
}

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  typeof error.code === 'string' &&
  codes.includes(error.code);

export const diskFs: JournalFs = {
  async open(path, mode) {
    if (mode === 'update') return new DiskFile(await openForUpdate(path));
    return new DiskFile(await open(path, mode === 'new' ? 'wx+' : 'r', 0o600));
  },
  list: (dir) => readdir(dir),
  rename,
  remove: (path) => rm(path, { force: true }),
  async syncDirectory(dir) {
    const handle = await open(dir, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};
