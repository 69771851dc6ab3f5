import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import { asError } from '../common/index.js';
import { DATABASE_SETTINGS, type DatabaseSettings } from '../config/index.js';
import {
  databaseBusy,
  isDocumentError,
  isTransientTransactionError,
  isUnknownCommitResult,
  shuttingDown,
} from './errors.js';
import { ProcessRegistry } from './process-registry.js';
import { transactionStorage } from './transaction-context.js';
import { keyOf, type QueuedUnit } from './unit-batch.js';
import type { DocumentId, UnitOfWork } from './unit-of-work.js';
import { type Failure, type Load, UnitQueue } from './unit-queue.js';
import { Conflict, UnitTransaction } from './unit-transaction.js';

export interface GroupCommitStats {
  /** Units waiting for a transaction. */
  waiting: number;
  /** Transactions in progress. */
  flights: number;
  /** Committed transactions; `units` counts the units in them. */
  commits: number;
  units: number;
  /** Units that failed with an error of their own. */
  refused: number;
  /** Units that were not written because the database failed or was too slow. */
  rejected: number;
  /** Transactions that had to be retried, mostly because of concurrent writes to the same documents. */
  conflicts: number;
  /** Commits that were retried because their outcome was unknown. */
  commitRetries: number;
}

/** One committed transaction. Times are in milliseconds. */
export interface CommittedFlight {
  units: number;
  /** How long its oldest unit waited after it was submitted. */
  waitMs: number;
  /** From the start of the transaction to its commit. */
  commitMs: number;
}

/**
 * Maximum number of concurrent transactions. With only one, the database would be idle while the event loop
 * prepares the next.
 */
const MAX_FLIGHTS = 4;

const DEFAULT_UNIT_BYTES = 1024;

/**
 * A unit that waited longer than this gets a new stamp: readers in other processes rely on stamps not being
 * much older.
 */
const MAX_STAMP_AGE_MS = 500;

/**
 * Upper limit for the pause after a transaction on a document that other processes change as well. The pause
 * is as long as the transaction was, so that another process that waits and retries finds the document free.
 */
const MAX_REST_MS = 100;

/** Interval between checks for waiting units whose deadline has passed. */
const SWEEP_MS = 500;

/** The reason why a unit was not written in time. */
const reasonOf = ({ lastError }: QueuedUnit): Error => lastError ?? databaseBusy();

/**
 * Commits units of work. Units that arrive while transactions are in progress share the next one: one command
 * per collection, then the commit. Each caller gets its result after the commit. A unit that cannot be
 * written is rejected with its own error, and the others are written without it. Units whose documents make
 * transactions fail repeatedly are written separately from the others.
 */
@Injectable()
export class GroupCommit implements OnModuleInit {
  private readonly queue = new UnitQueue(() => {
    this.schedule();
  });
  private readonly transaction: UnitTransaction;
  /** All units that are neither committed nor rejected, ordered by stamp, oldest first. */
  private readonly outstanding = new Set<QueuedUnit>();
  private readonly listeners: ((flight: CommittedFlight) => void)[] = [];
  private readonly counters = { commits: 0, units: 0, refused: 0, rejected: 0, conflicts: 0 };
  private flights = 0;
  private scheduled = false;
  private closing = false;
  private onDrained: (() => void) | undefined;
  private sweeper: NodeJS.Timeout | undefined;
  private lastStampMs = 0;
  /** When `lastStampMs` was assigned, from `performance.now()`. */
  private lastStampAt = 0;
  private settledMs = 0;

  constructor(
    @InjectConnection() connection: Connection,
    @Inject(DATABASE_SETTINGS) private readonly settings: DatabaseSettings,
    processes: ProcessRegistry,
  ) {
    this.transaction = new UnitTransaction(connection, processes);
  }

  onModuleInit(): void {
    this.sweeper = setInterval(() => {
      this.sweep();
    }, SWEEP_MS);
    this.sweeper.unref();
  }

  /** Removes a document that was deleted from the memory of this process. */
  forget(document: DocumentId): void {
    this.transaction.forget(keyOf(document));
  }

  /**
   * Returns what the unit's `write` returned, after it has been committed. A unit of work never joins a
   * running transaction.
   * @param timeoutMs no new attempt starts after this time; capped at TRANSACTION_TIMEOUT_MS
   * @throws whatever the unit's `write` throws
   * @throws DuplicateKeyError when a unique index rejects an insert of the unit
   * @throws ProblemError 503 `database_busy` when too many units are waiting, or the unit waited too long
   */
  commit<T>(unit: UnitOfWork<T>, timeoutMs = Infinity): Promise<T> {
    if (transactionStorage.getStore()?.isOver === false)
      return Promise.reject(new Error('a unit of work cannot be committed inside a running transaction'));
    if (this.closing) return Promise.reject(shuttingDown());
    return new Promise<T>((resolve, reject) => {
      const queuedAt = performance.now();
      const queued: QueuedUnit = {
        unit,
        key: unit.ref && keyOf(unit.ref),
        bytes: unit.bytes ?? DEFAULT_UNIT_BYTES,
        stamp: this.nextStamp(),
        queuedAt,
        deadline: queuedAt + Math.min(timeoutMs, this.settings.TRANSACTION_TIMEOUT_MS),
        resolve: (value) => {
          this.end(queued);
          resolve(value as T);
        },
        reject: (error) => {
          this.end(queued);
          reject(error);
        },
      };
      this.outstanding.add(queued);
      if (!this.queue.add(queued)) this.reject(queued, databaseBusy());
    });
  }

  /** Returns a date such that every unit this process commits from now on has a later `stamp`. */
  settledUntil(): Date {
    const [oldest] = this.outstanding;
    if (oldest) return new Date(oldest.stamp.getTime() - 1);
    this.settledMs = Math.max(Date.now(), this.lastStampMs);
    return new Date(this.settledMs);
  }

  /** Calls `listener` after each committed transaction. The listener must not throw. */
  onFlight(listener: (flight: CommittedFlight) => void): void {
    this.listeners.push(listener);
  }

  stats(): GroupCommitStats {
    const { commitRetries } = this.transaction;
    return { waiting: this.queue.size, flights: this.flights, ...this.counters, commitRetries };
  }

  /**
   * Stops accepting units, and returns when all accepted units are committed or rejected. After `graceMs`,
   * units that still wait are rejected.
   */
  async drain(graceMs: number): Promise<void> {
    this.closing = true;
    if (this.outstanding.size > 0) {
      const timer = setTimeout(() => {
        for (const queued of this.queue.remove(() => true)) this.reject(queued, shuttingDown());
      }, graceMs);
      await new Promise<void>((resolve) => (this.onDrained = resolve));
      clearTimeout(timer);
    }
    clearInterval(this.sweeper);
  }

  private end(queued: QueuedUnit): void {
    this.outstanding.delete(queued);
    if (this.outstanding.size === 0) this.onDrained?.();
  }

  /**
   * While the clock is behind, for example after it was set back, stamps advance at half the speed of time.
   * If they stood still, `settledUntil` would not advance as long as units arrive; at full speed the clock
   * would never catch up.
   */
  private nextStamp(): Date {
    const now = performance.now();
    const passedMs = Math.floor((now - this.lastStampAt) / 2);
    const stamp = Math.max(Date.now(), this.lastStampMs + passedMs, this.settledMs + 1);
    if (stamp > this.lastStampMs) {
      this.lastStampMs = stamp;
      this.lastStampAt = now;
    }
    return new Date(this.lastStampMs);
  }

  /**
   * Starts a transaction at the end of this turn of the event loop, if units are waiting and the limit allows
   * it.
   */
  private schedule(): void {
    if (this.scheduled || this.flights >= MAX_FLIGHTS || !this.queue.isReady) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      const loads = this.queue.take();
      if (loads.length > 0) {
        this.flights++;
        void this.fly(loads).then(() => {
          this.flights--;
          this.schedule();
        });
      }
      this.schedule();
    });
  }

  /**
   * Writes the units in one transaction. Units that are neither committed nor rejected return to the queue.
   * Never rejects.
   */
  private async fly(loads: readonly Load[]): Promise<void> {
    const units = loads.flatMap((load) => load.units).filter((queued) => !this.rejectIfLate(queued));
    this.renewStamps(units);
    const begun = performance.now();
    let failure: Failure | undefined;
    const outcome = await this.transaction.commit(units).catch(asError);
    if (outcome instanceof Error) {
      this.counters.conflicts++;
      if (this.handleFailure(units, outcome))
        failure = {
          at: performance.now(),
          jitter: Math.random(),
          isContested: (key) => this.transaction.isContested(key),
        };
    } else {
      for (const [queued, error] of outcome.refused) this.refuse(queued, error);
      for (const [queued, result] of outcome.committed) queued.resolve(result);
      if (outcome.committed.size > 0) this.noteFlight(outcome.committed, begun);
    }
    const restMs = Math.min(performance.now() - begun, MAX_REST_MS);
    for (const load of loads) {
      const left = load.units.filter((queued) => this.outstanding.has(queued));
      if (left.length === 0)
        this.queue.release(load, this.transaction.isContested(load.lane.key) ? restMs : 0);
      else this.queue.putBack(load, left, failure);
    }
  }

  /** Rejects the units that must not be retried. Returns whether the remaining units failed too. */
  private handleFailure(units: readonly QueuedUnit[], error: Error): boolean {
    if (error instanceof Conflict) {
      for (const [queued, reason] of error.refused) this.refuse(queued, reason);
      return error.refused.size === 0;
    }
    const mayRetry =
      (isTransientTransactionError(error) && !isUnknownCommitResult(error)) ||
      (isDocumentError(error) && units.length > 1);
    if (mayRetry) for (const queued of units) queued.lastError = error;
    else for (const queued of units) this[isDocumentError(error) ? 'refuse' : 'reject'](queued, error);
    return true;
  }

  private noteFlight(committed: ReadonlyMap<QueuedUnit, unknown>, begun: number): void {
    this.counters.commits++;
    this.counters.units += committed.size;
    let oldest = begun;
    for (const { queuedAt } of committed.keys()) oldest = Math.min(oldest, queuedAt);
    const flight = { units: committed.size, waitMs: begun - oldest, commitMs: performance.now() - begun };
    for (const listener of this.listeners) listener(flight);
  }

  private renewStamps(units: readonly QueuedUnit[]): void {
    const oldest = Date.now() - MAX_STAMP_AGE_MS;
    for (const queued of units) {
      if (queued.stamp.getTime() >= oldest) continue;
      this.outstanding.delete(queued);
      queued.stamp = this.nextStamp();
      this.outstanding.add(queued);
    }
  }

  private sweep(): void {
    const now = performance.now();
    for (const queued of this.queue.remove(({ deadline }) => deadline <= now))
      this.reject(queued, reasonOf(queued));
  }

  private rejectIfLate(queued: QueuedUnit): boolean {
    const isLate = queued.deadline <= performance.now();
    if (isLate) this.reject(queued, reasonOf(queued));
    return isLate;
  }

  private refuse(queued: QueuedUnit, error: Error): void {
    this.counters.refused++;
    queued.reject(error);
  }

  private reject(queued: QueuedUnit, error: Error): void {
    this.counters.rejected++;
    queued.reject(error);
  }
}
