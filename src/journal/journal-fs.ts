import { constants } from 'node:fs';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';

/** One open file of a journal. */
export interface JournalFile {
  /** Writes all of `bytes` at `position`; they outlive the process, though not a power cut. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Writes all of `bytes` at `position`; resolves when they are on disk. */
  writeThrough(bytes: Uint8Array, position: number): Promise<void>;
  /** Writes zeros to `[from, to)`; resolves when they are on disk. */
  fill(from: number, to: number): Promise<void>;
  /** Up to `length` bytes from `position`; fewer at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  size(): Promise<number>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** `new`: fails when the file exists. `reuse`: to write over what is in it. `update`: makes it if need be. */
export type OpenMode = 'new' | 'reuse' | 'update' | 'read';

/** The calls through which a journal reaches its segments; specs put faults and counters here. */
export interface JournalFs {
  open(path: string, mode: OpenMode): Promise<JournalFile>;
  list(dir: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; a missing one is no error. */
  remove(path: string): Promise<void>;
  /** Makes the names in `dir` durable, as a new file's data without its name would be lost. */
  syncDirectory(dir: string): Promise<void>;
}

// With O_DSYNC a write is on disk when it returns: one call of the system, and one wait for a thread, instead of two. On macOS
// the flag does not reach through the drive's cache, which libuv's fdatasync does; Windows has no such flag.
const WRITE_THROUGH = process.platform === 'linux' ? constants.O_DSYNC : 0;
const ZEROS = Buffer.alloc(256 * 1024);

class DiskFile implements JournalFile {
  /** `isThrough`: the file was opened so that each write is on disk when it returns. */
  constructor(
    private readonly handle: FileHandle,
    private readonly isThrough = false,
  ) {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  async writeThrough(bytes: Uint8Array, position: number): Promise<void> {
    await this.write(bytes, position);
    if (!this.isThrough) await this.handle.datasync();
  }

  async fill(from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += ZEROS.length) {
      await this.write(ZEROS.subarray(0, Math.min(ZEROS.length, to - at)), at);
    }
    if (!this.isThrough) await this.handle.datasync();
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
    if (mode === 'read') return new DiskFile(await open(path, 'r'));
    const { O_CREAT, O_EXCL, O_RDWR } = constants;
    const flags = O_RDWR | WRITE_THROUGH | (mode === 'new' ? O_CREAT | O_EXCL : 0);
    return new DiskFile(await open(path, flags, 0o600), WRITE_THROUGH !== 0);
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
