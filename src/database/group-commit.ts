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
import type { UnitOfWork } from './unit-of-work.js';
import { type Failure, type Load, UnitQueue } from './unit-queue.js';
import { Conflict, UnitTransaction } from './unit-transaction.js';

export interface GroupCommitStats {
  /** Units that wait for a transaction. */
  waiting: number;
  /** Transactions at work. */
  flights: number;
  /** Transactions that were committed, and the units in them. */
  commits: number;
  units: number;
  /** Units that were refused with an error of their own. */
  refused: number;
  /** Units that were not written because the database was too slow or failed. */
  rejected: number;
  /** Transactions that were written again, mostly because others wrote the same documents. */
  conflicts: number;
  /** Commits that were repeated because their outcome was unknown. */
  commitRetries: number;
}

/** One transaction that was committed. Times are milliseconds. */
export interface CommittedFlight {
  units: number;
  /** How long its oldest unit waited since it was handed over. */
  waitMs: number;
  /** From the beginning of the transaction to its commit. */
  commitMs: number;
}

/** Transactions that run at the same time: more than one, as one keeps step with the event loop and leaves the database idle. */
const MAX_FLIGHTS = 4;

const DEFAULT_UNIT_BYTES = 1024;

/** A unit that waited for longer gets a new stamp: readers of other processes rely on stamps not being older than this by much. */
const MAX_STAMP_AGE_MS = 500;

/**
 * After a transaction, a document that other processes change as well is left alone for as long as the transaction took, up to this: so
 * that another process, which waits and tries again, finds it free.
 */
const MAX_REST_MS = 100;

/** Units that wait are looked through for those whose time is over this often. */
const SWEEP_MS = 500;

/** Why a unit was not written in time. */
const reasonOf = ({ lastError }: QueuedUnit): Error => lastError ?? databaseBusy();

/**
 * Commits units of work. Units that arrive while transactions are at work share the next one: one command for each collection, then the
 * commit; each caller gets its result after the commit. A unit that cannot be written is refused with its own error, and the others
 * are written without it. Units of documents on which transactions fail again and again are written apart from the others.
 */
@Injectable()
export class GroupCommit implements OnModuleInit {
  private readonly queue = new UnitQueue(() => {
    this.schedule();
  });
  private readonly transaction: UnitTransaction;
  /** All units that are neither committed nor refused, the oldest stamp first. */
  private readonly outstanding = new Set<QueuedUnit>();
  private readonly listeners: ((flight: CommittedFlight) => void)[] = [];
  private readonly counters = { commits: 0, units: 0, refused: 0, rejected: 0, conflicts: 0 };
  private flights = 0;
  private scheduled = false;
  private closing = false;
  private onDrained: (() => void) | undefined;
  private sweeper: NodeJS.Timeout | undefined;
  private lastStampMs = 0;
  /** Of `performance.now()`. */
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

  /**
   * Returns what `write` of the unit returned, once it is committed. It takes no part in a running transaction.
   * @param timeoutMs no new attempt begins after this time; TRANSACTION_TIMEOUT_MS at most
   * @throws whatever `write` of the unit throws
   * @throws DuplicateKeyError when a unique index refuses an insert of the unit
   * @throws ProblemError 503 `database_busy` when too much waits already, or the unit waited too long
   */
  commit<T>(unit: UnitOfWork<T>, timeoutMs = Infinity): Promise<T> {
    if (transactionStorage.getStore()?.isOver === false)
      return Promise.reject(new Error('a unit of work cannot be committed within a running transaction'));
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

  /** No unit that this process commits from now on has a `stamp` at or before the returned date. */
  settledUntil(): Date {
    const [oldest] = this.outstanding;
    if (oldest) return new Date(oldest.stamp.getTime() - 1);
    this.settledMs = Math.max(Date.now(), this.lastStampMs);
    return new Date(this.settledMs);
  }

  /** Calls `listener` after each transaction that was committed. It must not throw. */
  onFlight(listener: (flight: CommittedFlight) => void): void {
    this.listeners.push(listener);
  }

  stats(): GroupCommitStats {
    const { commitRetries } = this.transaction;
    return { waiting: this.queue.size, flights: this.flights, ...this.counters, commitRetries };
  }

  /** Accepts no more units, and returns when those that were accepted are committed or refused; after `graceMs` those that wait are refused. */
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
   * While the clock is behind, as after it was set back, stamps go on at half the pace of time: a stamp that stayed the same would keep
   * `settledUntil` where it is as long as units arrive, and at the full pace the clock would never catch up.
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

  /** Begins a transaction at the end of this turn of the event loop, if there is a place for one and something waits. */
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

  /** Writes the units in one transaction; those that are neither committed nor refused go back into the queue. Never rejects. */
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

  /** Refuses or rejects the units that are not to be tried again; returns whether the others failed too. */
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
