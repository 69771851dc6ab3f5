import { OperatorError } from '../common/index.js';

/** Injection token of the `ArchiveStore`. */
export const ARCHIVE_STORE = Symbol('ARCHIVE_STORE');

/**
 * Where archive files are kept. Names are relative paths of letters, digits, dots, hyphens and slashes. A
 * module can provide another store under `ARCHIVE_STORE`.
 */
export interface ArchiveStore {
  /** For messages to operators: a directory or a bucket. */
  readonly location: string;
  /** Writes a file, which exists durably once this resolves. If it rejects, there is no such file. */
  write(name: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** @throws ArchiveFileMissingError */
  read(name: string): AsyncIterable<Uint8Array>;
  /** The names of the files that begin with `prefix`, which ends with a slash. */
  list(prefix: string): AsyncIterable<string>;
  /** Deletes a file, if there is one. */
  delete(name: string): Promise<void>;
}

export class ArchiveFileMissingError extends OperatorError {
  constructor(name: string, location: string) {
    super(`The archive file ${name} is missing in ${location}. Restore it from a backup.`);
    this.name = 'ArchiveFileMissingError';
  }
}
