import { once } from 'node:events';
import { statfsSync } from 'node:fs';
import { open } from 'lmdb';
import type { RootDatabase, RootDatabaseOptionsWithPath, Transaction as ReadTransaction } from 'lmdb';
import { compareBytes } from './key-layout.js';
import type { Entry, KeyRange, View } from './view.js';

type Database = RootDatabase<Uint8Array, Uint8Array>;

const MAX_READERS = 4_096;
const FULL_BELOW_BYTES = 1024 * 1024;
/** How long to wait for the cause of a failed commit. */
const REASON_WITHIN_MS = 1_000;
const NOTHING: Iterable<never> = [];

/** LMDB could not write, so the whole commit fails. */
export class StoreFailure extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'StoreFailure';
  }
}

/**
 * Reads through lmdb-js, either from a held read transaction or from the current state. In a write callback,
 * the current state includes its own writes.
 */
class LmdbView implements View {
  constructor(
    private readonly db: Database,
    private readonly transaction?: ReadTransaction,
  ) {}

  get(key: Uint8Array): Uint8Array | undefined {
    return this.transaction ? this.db.get(key, { transaction: this.transaction }) : this.db.getBinary(key);
  }

  has(key: Uint8Array): boolean {
    return this.transaction
      ? this.db.get(key, { transaction: this.transaction }) !== undefined
      : this.db.getBinaryFast(key) !== undefined;
  }

  keys(range: KeyRange): Iterable<Uint8Array> {
    const options = this.rangeOptions(range);
    return options ? this.db.getKeys(options) : NOTHING;
  }

  entries(range: KeyRange): Iterable<Entry> {
    const options = this.rangeOptions(range);
    return options ? this.db.getRange(options) : NOTHING;
  }

  private rangeOptions({ low, high, reverse }: KeyRange) {
    if (compareBytes(low, high) >= 0) return undefined;
    const base = reverse
      ? { start: high, end: low, reverse: true, exclusiveStart: true, inclusiveEnd: true }
      : { start: low, end: high };
    return this.transaction ? { ...base, transaction: this.transaction } : base;
  }
}

/** An open read transaction. LMDB cannot reuse pages freed after it started, so it must be closed soon. */
export interface Snapshot {
  readonly view: View;
  release(): void;
}

/**
 * One LMDB environment with one database of binary keys and values. `write` runs a callback in a write
 * transaction and resolves when the commit is on disk. If the callback throws, nothing is written.
 */
export class Store {
  readonly view: View;
  private closed = false;

  private constructor(
    private readonly db: Database,
    readonly dir: string,
  ) {
    this.view = new LmdbView(db);
  }

  /**
   * Every commit is flushed before it becomes visible. `overlappingSync` would gain nothing, because commits
   * are already grouped.
   */
  static open(dir: string, options: { readOnly?: boolean } = {}): Store {
    // The type of lmdb's options lacks `permissionsMode`.
    const settings: RootDatabaseOptionsWithPath & { permissionsMode: number } = {
      path: dir,
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      overlappingSync: false,
      // Event-turn batching adds its own write, whose promise cannot be handled if the commit fails.
      eventTurnBatching: false,
      maxReaders: MAX_READERS,
      readOnly: options.readOnly ?? false,
      permissionsMode: 0o600,
    };
    const db = open<Uint8Array, Uint8Array>(settings);
    return new Store(db, dir);
  }

  async write<T>(callback: () => T): Promise<T> {
    let thrown: { error: unknown } | undefined;
    try {
      const outcome = await this.db.childTransaction(() => {
        try {
          return callback();
        } catch (error) {
          thrown = { error };
          throw error;
        }
      });
      this.db.resetReadTxn();
      return outcome;
    } catch (error) {
      const reason = commitFailure(error);
      if (thrown) throw thrown.error;
      throw await reason;
    }
  }

  /** Allowed only in a write callback. Copies the bytes immediately. */
  put(key: Uint8Array, value: Uint8Array): void {
    try {
      this.db.putSync(key, value);
    } catch (error) {
      throw new StoreFailure(error);
    }
  }

  remove(key: Uint8Array): void {
    try {
      this.db.removeSync(key);
    } catch (error) {
      throw new StoreFailure(error);
    }
  }

  snapshot(): Snapshot {
    this.db.resetReadTxn();
    const transaction = this.db.useReadTransaction();
    let held = true;
    return {
      view: new LmdbView(this.db, transaction),
      release: () => {
        if (!held) return;
        held = false;
        if (!this.closed) transaction.done();
      },
    };
  }

  /** Whether the disk is so full that this explains a failed write. LMDB reports a short write as EIO. */
  isDiskFull(): boolean {
    try {
      const { bavail, bsize } = statfsSync(this.dir);
      return bavail * bsize < FULL_BELOW_BYTES;
    } catch {
      return false;
    }
  }

  /** Copies a snapshot to a directory. With `compact`, without free pages. */
  copy(dir: string, compact: boolean): Promise<void> {
    return this.db.backup(dir, compact);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.db.close();
  }
}

/**
 * lmdb-js reports the cause of a failed commit in a second promise. It must be handled even if the cause is
 * already known, since an unhandled rejection ends the process. It may also never settle.
 */
const commitFailure = async (error: unknown): Promise<unknown> => {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  const timeout = AbortSignal.timeout(REASON_WITHIN_MS);
  try {
    await Promise.race([error.commitError, once(timeout, 'abort')]);
    return error;
  } catch (reason) {
    return reason;
  }
};
