import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { LRUCache } from 'lru-cache';
import { type Connection, mongo } from 'mongoose';
import { backoffDelay } from '../common/index.js';
import { DATABASE_SETTINGS, type DatabaseSettings } from '../config/index.js';
import {
  databaseBusy,
  DuplicateKeyError,
  isDatabaseAway,
  isTransientTransactionError,
  isUnknownCommitResult,
} from './errors.js';
import { ProcessRegistry } from './process-registry.js';
import { transactionStorage } from './transaction-context.js';
import {
  type InsertStatement,
  keyOf,
  meets,
  type QueuedUnit,
  UnitBatch,
  type UpdateStatement,
} from './unit-batch.js';
import type { DocumentId, DocumentRef, FieldChanges, UnitOfWork } from './unit-of-work.js';

export interface GroupCommitStats {
  /** Units that wait for a transaction. */
  waiting: number;
  /** Transactions at work. */
  flights: number;
  /** Transactions that were committed, and the units in them. */
  commits: number;
  units: number;
  /** Units that were refused by themselves while others of their transaction were committed, or that came to nothing. */
  refused: number;
  /** Units that were not accepted, or waited too long, because the database was slow. */
  rejected: number;
  /** Transactions that were written again after a conflict. */
  conflicts: number;
  /** Commits that were repeated because their outcome was unknown. */
  commitRetries: number;
}

/** One transaction that was committed. Times are milliseconds. */
export interface CommittedFlight {
  units: number;
  /** How long its oldest unit waited before the transaction began. */
  waitMs: number;
  /** From the beginning of the transaction to its commit, with its retries. */
  commitMs: number;
}

/** Units of one document, or one unit that refers to none. */
interface Lane {
  readonly key: string | undefined;
  units: QueuedUnit[];
}

/** Transactions that run at the same time: more than one, as one keeps step with the event loop and leaves the database idle. */
const MAX_FLIGHTS = 4;
const MAX_UNITS = 256;
/** Most units of one document in a transaction, so that a busy conversation leaves room for others. */
const MAX_UNITS_OF_DOCUMENT = 32;
const MAX_BYTES = 8 * 1024 * 1024;
const DEFAULT_UNIT_BYTES = 1024;
const MAX_WAITING_UNITS = 20_000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** Remembered documents. */
const MAX_KNOWN = 10_000;
const MAX_KNOWN_BYTES = 32 * 1024 * 1024;

/**
 * For so long a document counts as shared once another process was found to have changed it. It is read before each transaction then, as what
 * is remembered would be outdated; and after a transaction it is left alone for as long as that took, so that the other process, which waits
 * and tries again, finds it free.
 */
const SHARED_MS = 5000;
const MAX_REST_MS = 100;

/** After so many attempts that failed the units are committed in two halves, to separate one that fails again and again. */
const ATTEMPTS_BEFORE_SPLIT = 3;

/** Short, as the other writer's next pause may be short too. */
const conflictBackoff = { baseMs: 4, maxMs: 50, jitter: 1 };
const commitBackoff = { baseMs: 2, maxMs: 200, jitter: 1 };

/** Of a reply to an insert or update command, what matters here. */
interface WriteReply {
  n: number;
  writeErrors?: { index: number; code: number; errmsg: string; keyPattern?: Record<string, unknown> }[];
}

/** Stops a transaction: these units are refused, and the others are tried without them. With no units: others wrote the same data. */
class Conflict extends Error {
  constructor(readonly refused: ReadonlyMap<QueuedUnit, Error> = new Map()) {
    super('a transaction of units of work has to be written again');
    this.name = 'Conflict';
  }
}

const pick = (document: mongo.Document, fields: readonly string[]): FieldChanges =>
  Object.fromEntries(fields.map((field): [string, unknown] => [field, document[field]]));

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/**
 * Commits units of work. Units that arrive while transactions are at work share the next one: one command for each collection, then the
 * commit; each caller gets its result after the commit. A unit that cannot be written is refused with its own error, and the others
 * are written without it. Write conflicts and unknown outcomes of commits are handled here. The documents that units depend on
 * are remembered between transactions; each update expects the remembered state, so an outdated one is noticed and read again.
 */
@Injectable()
export class GroupCommit {
  /** Lanes that may enter a transaction, each in its turn. */
  private readonly ready: Lane[] = [];
  /** Lanes of documents with units that wait or are at work, by key. */
  private readonly lanes = new Map<string, Lane>();
  /** All units that are neither committed nor refused, oldest first. */
  private readonly outstanding = new Set<QueuedUnit>();
  private readonly known = new LRUCache<string, mongo.Document>({
    max: MAX_KNOWN,
    maxSize: MAX_KNOWN_BYTES,
    sizeCalculation: (document) => mongo.BSON.calculateObjectSize(document),
  });
  /** Keys of documents that other processes change as well; see SHARED_MS. */
  private readonly shared = new LRUCache<string, true>({ max: MAX_KNOWN, ttl: SHARED_MS });
  private readonly listeners: ((flight: CommittedFlight) => void)[] = [];
  private readonly counters = {
    commits: 0,
    units: 0,
    refused: 0,
    rejected: 0,
    conflicts: 0,
    commitRetries: 0,
  };
  private flights = 0;
  /** How long the last transaction took that was committed. */
  private attemptMs = 0;
  private waiting = 0;
  private waitingBytes = 0;
  private scheduled = false;
  private closing = false;
  private onDrained: (() => void) | undefined;
  private lastStampMs = 0;
  private settledMs = 0;

  constructor(
    @InjectConnection() private readonly connection: Connection,
    @Inject(DATABASE_SETTINGS) private readonly settings: DatabaseSettings,
    private readonly processes: ProcessRegistry,
  ) {}

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
    const bytes = unit.bytes ?? DEFAULT_UNIT_BYTES;
    if (this.closing || this.waiting >= MAX_WAITING_UNITS || this.waitingBytes + bytes > MAX_WAITING_BYTES) {
      this.counters.rejected++;
      return Promise.reject(databaseBusy());
    }
    return new Promise<T>((resolve, reject) => {
      const queuedAt = performance.now();
      const queued: QueuedUnit = {
        unit,
        key: unit.ref && keyOf(unit.ref),
        bytes,
        stamp: this.nextStamp(),
        queuedAt,
        deadline: queuedAt + Math.min(timeoutMs, this.settings.TRANSACTION_TIMEOUT_MS),
        resolve: (value) => {
          this.outstanding.delete(queued);
          resolve(value as T);
        },
        reject: (error) => {
          this.outstanding.delete(queued);
          reject(error);
        },
      };
      this.outstanding.add(queued);
      this.enqueue(queued);
    });
  }

  /** No unit that this process commits from now on has a `stamp` at or before the returned date. */
  settledUntil(): Date {
    const [oldest] = this.outstanding;
    if (oldest) return new Date(oldest.stamp.getTime() - 1);
    this.settledMs = Math.max(Date.now(), this.lastStampMs);
    return new Date(this.settledMs);
  }

  /** Calls `listener` after each transaction that was committed. */
  onFlight(listener: (flight: CommittedFlight) => void): void {
    this.listeners.push(listener);
  }

  stats(): GroupCommitStats {
    return { waiting: this.waiting, flights: this.flights, ...this.counters };
  }

  /** Accepts no more units, and returns when those that were accepted are committed or refused. */
  async drain(): Promise<void> {
    this.closing = true;
    if (this.outstanding.size > 0) await new Promise<void>((resolve) => (this.onDrained = resolve));
  }

  private nextStamp(): Date {
    this.lastStampMs = Math.max(Date.now(), this.lastStampMs, this.settledMs + 1);
    return new Date(this.lastStampMs);
  }

  private enqueue(queued: QueuedUnit): void {
    this.waiting++;
    this.waitingBytes += queued.bytes;
    const present = queued.key === undefined ? undefined : this.lanes.get(queued.key);
    if (present) {
      present.units.push(queued);
      return;
    }
    const lane = { key: queued.key, units: [queued] };
    if (lane.key !== undefined) this.lanes.set(lane.key, lane);
    this.ready.push(lane);
    this.schedule();
  }

  /** Begins a transaction at the end of this turn of the event loop, if there is a place for one and something waits. */
  private schedule(): void {
    if (this.scheduled || this.flights >= MAX_FLIGHTS || this.ready.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      const { lanes, units } = this.take();
      this.flights++;
      void this.fly(units).then((restMs) => {
        this.flights--;
        const resting = lanes.filter(({ key }) => key !== undefined && this.shared.has(key));
        if (resting.length > 0) setTimeout(() => this.release(resting), restMs);
        this.release(lanes.filter((lane) => !resting.includes(lane)));
        if (this.outstanding.size === 0) this.onDrained?.();
      });
      this.schedule();
    });
  }

  /** Takes the next units of the next lanes; the lanes are kept out of other transactions until they are released. */
  private take(): { lanes: Lane[]; units: QueuedUnit[] } {
    const lanes: Lane[] = [];
    const units: QueuedUnit[] = [];
    let bytes = 0;
    let lane = this.ready[0];
    while (lane) {
      const { units: waiting } = lane;
      let count = 0;
      while (count < Math.min(waiting.length, MAX_UNITS_OF_DOCUMENT) && units.length < MAX_UNITS) {
        const next = waiting[count];
        if (!next || (units.length > 0 && bytes + next.bytes > MAX_BYTES)) break;
        bytes += next.bytes;
        units.push(next);
        count++;
      }
      if (count === 0) break;
      waiting.splice(0, count);
      lanes.push(lane);
      this.ready.shift();
      lane = this.ready[0];
    }
    this.waiting -= units.length;
    this.waitingBytes -= bytes;
    return { lanes, units };
  }

  private release(lanes: readonly Lane[]): void {
    for (const lane of lanes)
      if (lane.units.length > 0) this.ready.push(lane);
      else if (lane.key !== undefined) this.lanes.delete(lane.key);
    this.schedule();
  }

  /** Commits or rejects all of the units, and returns for how long documents rest that are shared. Never rejects. */
  private async fly(units: readonly QueuedUnit[]): Promise<number> {
    const begun = performance.now();
    const waitMs = begun - Math.min(...units.map(({ queuedAt }) => queuedAt));
    await this.commitAll(units, (committed) => {
      const flight = { units: committed, waitMs, commitMs: performance.now() - begun };
      for (const listener of this.listeners) listener(flight);
    });
    return Math.min(this.attemptMs, MAX_REST_MS);
  }

  private async commitAll(units: readonly QueuedUnit[], done: (committed: number) => void): Promise<void> {
    let left = units;
    let lastError: Error = databaseBusy();
    for (let attempt = 1; left.length > 0; attempt++) {
      left = this.inTime(left, lastError);
      let byOthers: boolean;
      try {
        const committed = await this.attempt(left);
        if (committed > 0) done(committed);
        return;
      } catch (error) {
        if (isUnknownCommitResult(error) || (isDatabaseAway(error) && !isTransientTransactionError(error))) {
          for (const queued of left) queued.reject(asError(error));
          return;
        }
        if (error instanceof Conflict) {
          for (const [queued, reason] of error.refused) this.refuse(queued, reason);
          left = left.filter((queued) => !error.refused.has(queued));
        } else {
          lastError = asError(error);
          if (!isTransientTransactionError(error) && left.length === 1) {
            for (const queued of left) this.refuse(queued, lastError);
            return;
          }
        }
        byOthers = error instanceof Conflict || isTransientTransactionError(error);
        this.counters.conflicts++;
      }
      // Halves would meet the other processes as often, each of them.
      const waits = byOthers && this.areShared(left);
      if (attempt >= ATTEMPTS_BEFORE_SPLIT && left.length > 1 && !waits) {
        const half = Math.ceil(left.length / 2);
        await this.commitAll(left.slice(0, half), done);
        await this.commitAll(left.slice(half), done);
        return;
      }
      if (attempt > 1) await delay(backoffDelay(attempt - 1, conflictBackoff));
    }
  }

  /** Whether other processes change all of the documents as well. */
  private areShared(units: readonly QueuedUnit[]): boolean {
    return units.every(({ key }) => key !== undefined && this.shared.has(key));
  }

  private inTime(units: readonly QueuedUnit[], error: Error): QueuedUnit[] {
    const now = performance.now();
    const late = units.filter(({ deadline }) => deadline <= now);
    for (const queued of late) {
      this.counters.rejected++;
      queued.reject(error);
    }
    return late.length === 0 ? [...units] : units.filter(({ deadline }) => deadline > now);
  }

  private refuse(queued: QueuedUnit, error: Error): void {
    this.counters.refused++;
    queued.reject(error);
  }

  /** Writes the units in one transaction, and resolves them; returns how many there were. */
  private async attempt(units: readonly QueuedUnit[]): Promise<number> {
    const begun = performance.now();
    const { batch, refused } = await this.assemble(units);
    const updates = batch.updates();
    if (updates.size > 0 || batch.inserts.size > 0)
      await this.transact(
        async (session) => {
          for (const [collection, statements] of updates) await this.update(session, collection, statements);
          for (const [collection, statements] of batch.inserts)
            await this.insert(session, collection, statements);
        },
        Math.max(...units.map(({ deadline }) => deadline)),
      );
    this.attemptMs = performance.now() - begun;
    for (const [key, document] of batch.sharedDocuments()) this.known.set(key, document);
    for (const [queued, reason] of refused) this.refuse(queued, reason);
    for (const [queued, result] of batch.results) queued.resolve(result);
    const committed = batch.results.size;
    this.counters.commits += Number(committed > 0);
    this.counters.units += committed;
    return committed;
  }

  /** A unit that refuses to be written, given a remembered document, gets another chance with the document as it is in the database. */
  private async assemble(
    units: readonly QueuedUnit[],
  ): Promise<{ batch: UnitBatch; refused: ReadonlyMap<QueuedUnit, Error> }> {
    for (;;) {
      const { documents, remembered } = await this.documentsOf(units);
      const batch = new UnitBatch(documents);
      const refused = new Map<QueuedUnit, Error>();
      const doubtful = new Set<string>();
      for (const queued of units)
        try {
          batch.add(queued);
        } catch (error) {
          refused.set(queued, asError(error));
          if (queued.key !== undefined && remembered.has(queued.key)) doubtful.add(queued.key);
        }
      if (doubtful.size === 0) return { batch, refused };
      for (const key of doubtful) this.known.delete(key);
    }
  }

  /** The documents that units refer to: as they are remembered, else as they are in the database now. */
  private async documentsOf(
    units: readonly QueuedUnit[],
  ): Promise<{ documents: Map<string, mongo.Document>; remembered: ReadonlySet<string> }> {
    const documents = new Map<string, mongo.Document>();
    const missing = new Map<string, DocumentRef>();
    for (const { key, unit } of units) {
      if (key === undefined || !unit.ref) continue;
      const known = this.shared.has(key) ? undefined : this.known.get(key);
      if (known) documents.set(key, known);
      else missing.set(key, unit.ref);
    }
    const remembered = new Set(documents.keys());
    if (missing.size > 0)
      for (const [key, document] of await this.read([...missing.values()])) {
        const before = this.known.get(key);
        const guard = missing.get(key)?.guard ?? [];
        if (before && !meets(document, pick(before, guard))) this.shared.set(key, true);
        documents.set(key, document);
        this.known.set(key, document);
      }
    return { documents, remembered };
  }

  private async read(ids: readonly DocumentId[]): Promise<Map<string, mongo.Document>> {
    const documents = new Map<string, mongo.Document>();
    for (const collection of new Set(ids.map((one) => one.collection))) {
      const wanted = ids.filter((one) => one.collection === collection);
      const found = await this.database
        .collection(collection)
        .find({
          tenantId: { $in: [...new Set(wanted.map(({ tenantId }) => tenantId))] },
          _id: { $in: wanted.map(({ id }) => id) },
        })
        .toArray();
      for (const document of found) {
        const tenantId: unknown = document['tenantId'];
        if (typeof tenantId === 'string')
          documents.set(keyOf({ collection, tenantId, id: document._id }), document);
      }
    }
    return documents;
  }

  private async update(
    session: mongo.ClientSession,
    collection: string,
    statements: readonly UpdateStatement[],
  ): Promise<void> {
    const updates = statements.map(({ q, u }) => ({ q, u }));
    const { n, writeErrors } = await this.run(session, { update: collection, updates });
    const [failed] = writeErrors ?? [];
    if (failed) {
      const { refuse } = statements[failed.index] ?? {};
      throw refuse
        ? new Conflict(new Map([[refuse.owner, writeError(collection, failed)]]))
        : writeError(collection, failed);
    }
    if (n < statements.length) throw await this.whyUnmatched(statements);
  }

  /** Which of the updates did not match, as far as it shows outside of the transaction. */
  private async whyUnmatched(statements: readonly UpdateStatement[]): Promise<Conflict> {
    const found = await this.read(statements.map(({ of }) => of));
    const refused = new Map<QueuedUnit, Error>();
    for (const { of, guard, refuse } of statements) {
      const key = keyOf(of);
      const document = found.get(key);
      if (document && meets(document, guard)) continue;
      this.known.delete(key);
      this.shared.set(key, true);
      if (refuse) refused.set(refuse.owner, refuse.error());
    }
    return new Conflict(refused);
  }

  private async insert(
    session: mongo.ClientSession,
    collection: string,
    statements: readonly InsertStatement[],
  ): Promise<void> {
    const documents = statements.map(({ document }) => document);
    const { writeErrors } = await this.run(session, { insert: collection, documents });
    const [failed] = writeErrors ?? [];
    if (!failed) return;
    const owner = statements[failed.index]?.owner;
    if (!owner) throw writeError(collection, failed);
    throw new Conflict(new Map([[owner, writeError(collection, failed)]]));
  }

  private async run(session: mongo.ClientSession, command: mongo.Document): Promise<WriteReply> {
    return (await this.database.command(command, { session, ignoreUndefined: true })) as WriteReply;
  }

  private async transact(
    work: (session: mongo.ClientSession) => Promise<void>,
    deadline: number,
  ): Promise<void> {
    const session = this.connection.getClient().startSession();
    try {
      await this.processes.remember(session);
      session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
      await work(session);
      await this.commitTransaction(session, deadline);
    } catch (error) {
      // A server that is away would make the abort wait for it; it ends the transaction by its own time limit.
      if (session.inTransaction() && !isDatabaseAway(error)) await session.abortTransaction();
      throw error;
    } finally {
      session.endSession().catch(() => undefined);
    }
  }

  private async commitTransaction(session: mongo.ClientSession, deadline: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await session.commitTransaction();
        return;
      } catch (error) {
        if (!isUnknownCommitResult(error) || performance.now() >= deadline) throw error;
        this.counters.commitRetries++;
        await delay(backoffDelay(attempt, commitBackoff));
      }
    }
  }

  private get database(): NonNullable<Connection['db']> {
    if (!this.connection.db) throw new Error('the database connection is not open');
    return this.connection.db;
  }
}

function writeError(
  collection: string,
  { code, errmsg, keyPattern }: NonNullable<WriteReply['writeErrors']>[number],
): Error {
  if (code === 11000) return new DuplicateKeyError(collection, Object.keys(keyPattern ?? {}), errmsg);
  return new mongo.MongoServerError({ message: errmsg, code });
}
