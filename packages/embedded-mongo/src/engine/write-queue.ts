import { ServerError } from '../values/errors.js';
import type { Change } from './change-log.js';
import { countersKey, KeySpace, readU64, textKey, u64, writeU64 } from './key-layout.js';
import type { Collection } from './catalog.js';
import { StoreFailure } from './store.js';
import type { Store } from './store.js';

const SEQUENCE_KEY = textKey(KeySpace.fact, 'sequence');
/** A batch is committed after this time, so that its statements are acknowledged and reads get a turn. */
const BATCH_MS = 10;

/** Thrown by a statement that has not written anything and must wait for `ended` before it runs again. */
export class Blocked extends Error {
  constructor(readonly ended: Promise<void>) {
    super('the statement must wait for a transaction');
  }
}

export interface CounterChange {
  documents: number;
  bytes: number;
}

/**
 * The current write transaction, through which statements write. They register with `undo` how to restore
 * in-memory state that they change immediately, and with `afterCommit` changes to apply only after the
 * commit.
 */
export class Batch {
  operations = 0;
  readonly claimed: Uint8Array[] = [];
  readonly counters = new Map<Collection, CounterChange>();
  readonly savedRows = new Set<Collection>();
  readonly undo: (() => void)[] = [];
  readonly afterCommit: (() => void)[] = [];
  /** Changes for change streams, appended to the log when the commit is on disk. */
  readonly changes: Change[] = [];

  constructor(
    readonly seq: number,
    readonly store: Store,
  ) {}

  put(key: Uint8Array, value: Uint8Array): void {
    this.operations++;
    this.store.put(key, value);
  }

  remove(key: Uint8Array): void {
    this.operations++;
    this.store.remove(key);
  }

  count(collection: Collection, documents: number, bytes: number): void {
    const change = this.counters.get(collection);
    if (change) {
      change.documents += documents;
      change.bytes += bytes;
    } else this.counters.set(collection, { documents, bytes });
  }
}

interface Job {
  statement: (batch: Batch) => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  value?: unknown;
  error?: unknown;
  failed?: boolean;
  blocked?: Promise<void>;
}

/** A statement failed after its first write for a reason other than storage. */
class PartialStatement extends Error {
  constructor(
    readonly job: Job,
    readonly error: unknown,
  ) {
    super('a statement failed after its first write');
    this.name = 'PartialStatement';
  }
}

export interface QueueHooks {
  /** Called in the write callback after the statements, to write catalog rows with changed flags. */
  beforeCommit(batch: Batch): void;
  /** Called in the write callback after all writes. From here on, readers may see the batch. */
  written(batch: Batch): void;
  /** Called when the commit is on disk, before any statement's promise resolves. */
  committed(batch: Batch): void;
}

/**
 * The single writer. Statements are synchronous functions that run in arrival order, many of them in one
 * commit. The next commit starts when the previous one is on disk; until then, statements queue up.
 */
export class WriteQueue {
  private waiting: Job[] = [];
  /** Index in `waiting` of the first job that has not run. */
  private next = 0;
  private pumping = false;
  private closing: ServerError | undefined;
  private idle: (() => void)[] = [];
  private blockedJobs = 0;
  /** Sequence number of the last commit on disk. */
  sequence: number;
  /** The batch that is written but not yet confirmed to be on disk. */
  inFlight: Batch | undefined;

  constructor(
    private readonly store: Store,
    private readonly hooks: QueueHooks,
  ) {
    this.sequence = sequenceOf(store.view.get(SEQUENCE_KEY));
  }

  /** Runs `statement` in the next commit and resolves with its result once the commit is on disk. */
  run<T>(statement: (batch: Batch) => T): Promise<T> {
    if (this.closing) return Promise.reject(this.closing);
    return new Promise<T>((resolve, reject) => {
      this.enqueue({ statement, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /** Rejects new statements and resolves when all accepted ones have completed. */
  async close(reason: ServerError): Promise<void> {
    this.closing = reason;
    if (this.pumping || this.blockedJobs > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private enqueue(job: Job): void {
    this.waiting.push(job);
    if (!this.pumping) void this.pump();
  }

  private async pump(): Promise<void> {
    this.pumping = true;
    while (this.next < this.waiting.length) await this.commitBatch();
    this.pumping = false;
    if (this.blockedJobs === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  private async commitBatch(): Promise<void> {
    const batch = new Batch(this.sequence + 1, this.store);
    const jobs: Job[] = [];
    let committed = false;
    let failure: unknown;
    try {
      await this.store.write(() => {
        this.inFlight = batch;
        this.runStatements(batch, jobs);
        this.hooks.beforeCommit(batch);
        this.writeCounters(batch);
        this.hooks.written(batch);
      });
      committed = true;
    } catch (error) {
      failure = error;
    }
    this.inFlight = undefined;
    if (committed) this.commitSucceeded(batch);
    else for (const undo of batch.undo.reverse()) undo();
    for (const job of jobs) {
      if (committed) this.settle(job);
      else job.reject(this.failureFor(job, failure));
    }
  }

  /**
   * Returns the error for a job of a failed commit. The other jobs cannot run again: a statement keeps track
   * of its progress and would treat it as already written.
   */
  private failureFor(job: Job, failure: unknown): ServerError {
    if (!(failure instanceof PartialStatement)) return storageError(failure, this.store);
    if (failure.job === job) return storageError(failure.error, this.store);
    return new ServerError('InternalError', 'not written: another statement in the same commit failed');
  }

  private runStatements(batch: Batch, jobs: Job[]): void {
    const started = performance.now();
    while (this.next < this.waiting.length) {
      const job = this.waiting[this.next++]!;
      jobs.push(job);
      this.runStatement(job, batch);
      if (performance.now() - started > BATCH_MS) break;
    }
    if (this.next === this.waiting.length) this.waiting = [];
    else if (this.next > 1_000) this.waiting = this.waiting.slice(this.next);
    else return;
    this.next = 0;
  }

  /**
   * If a statement fails after it has written, the whole commit fails, because LMDB cannot undo part of a
   * transaction.
   */
  private runStatement(job: Job, batch: Batch): void {
    const before = batch.operations;
    job.failed = false;
    job.blocked = undefined;
    try {
      job.value = job.statement(batch);
    } catch (error) {
      if (batch.operations !== before) {
        throw error instanceof StoreFailure ? error : new PartialStatement(job, error);
      }
      if (error instanceof Blocked) job.blocked = error.ended;
      else {
        job.failed = true;
        job.error = error;
      }
    }
  }

  private writeCounters(batch: Batch): void {
    if (batch.operations === 0) return;
    for (const [collection, change] of batch.counters) {
      if (collection.dropped) continue;
      const row = new Uint8Array(16);
      writeU64(row, 0, collection.documents + change.documents);
      writeU64(row, 8, collection.bytes + change.bytes);
      this.store.put(countersKey(collection.id), row);
    }
    this.store.put(SEQUENCE_KEY, u64(batch.seq));
  }

  private commitSucceeded(batch: Batch): void {
    if (batch.operations > 0) this.sequence = batch.seq;
    for (const [collection, change] of batch.counters) {
      collection.documents += change.documents;
      collection.bytes += change.bytes;
    }
    for (const collection of batch.counters.keys()) {
      if (collection.listeners.size > 0) for (const wake of [...collection.listeners]) wake();
    }
    for (const hook of batch.afterCommit) hook();
    this.hooks.committed(batch);
  }

  private settle(job: Job): void {
    if (job.blocked) {
      this.blockedJobs++;
      void job.blocked.then(() => {
        this.blockedJobs--;
        this.enqueue(job);
      });
    } else if (job.failed) job.reject(job.error);
    else job.resolve(job.value);
  }
}

export const sequenceOf = (row: Uint8Array | undefined): number => (row ? readU64(row, 0) : 0);

export const readSequence = (view: { get(key: Uint8Array): Uint8Array | undefined }): number =>
  sequenceOf(view.get(SEQUENCE_KEY));

/** Converts a storage failure to the error that clients receive. */
const storageError = (reason: unknown, store: Store): ServerError => {
  if (reason instanceof ServerError) return reason;
  const text = reason instanceof Error ? reason.message : String(reason);
  if (/ENOSPC|no space left|MAP_FULL|EDQUOT|quota/i.test(text) || store.isDiskFull()) {
    return new ServerError('OutOfDiskSpace', `the store's disk is full: ${text}`);
  }
  return new ServerError('InternalError', `the store could not write: ${text}`);
};
