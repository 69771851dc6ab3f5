import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { type Connection, mongo } from 'mongoose';
import { asError, backoffDelay } from '../common/index.js';
import { DuplicateKeyError, isDatabaseAway, isUnknownCommitResult } from './errors.js';
import type { ProcessRegistry } from './process-registry.js';
import {
  type InsertStatement,
  keyOf,
  meets,
  type QueuedUnit,
  UnitBatch,
  uniqueValue,
  type UpdateStatement,
} from './unit-batch.js';
import type { DocumentId, DocumentRef, FieldChanges } from './unit-of-work.js';

/** The parts of a reply to an insert or update command that are used here. */
interface WriteReply {
  n: number;
  writeErrors?: { index: number; code: number; errmsg: string; keyPattern?: Record<string, unknown> }[];
}

/** The outcome for the units of a committed transaction. */
export interface Committed {
  /** The stored units, with what their `write` returned. */
  committed: ReadonlyMap<QueuedUnit, unknown>;
  /** Units that were left out because `write` or their inserts failed, with their errors. */
  refused: ReadonlyMap<QueuedUnit, Error>;
}

/** The transaction was aborted. The `refused` units are rejected; the others must be retried without them. */
export class Conflict extends Error {
  constructor(readonly refused: ReadonlyMap<QueuedUnit, Error> = new Map()) {
    super('a transaction of units of work must be retried');
    this.name = 'Conflict';
  }
}

/** Some of these updates did not match. */
class Unmatched extends Error {
  constructor(readonly statements: readonly UpdateStatement[]) {
    super('an update did not match');
    this.name = 'Unmatched';
  }
}

/** One of these inserts has a unique value that is already stored. */
class Duplicate extends Error {
  constructor(
    readonly owner: QueuedUnit,
    readonly error: DuplicateKeyError,
    readonly statements: readonly InsertStatement[],
  ) {
    super('an insert has a value that is already stored');
    this.name = 'Duplicate';
  }
}

/** Limits of the document cache. */
const MAX_KNOWN = 10_000;
const MAX_KNOWN_BYTES = 32 * 1024 * 1024;

/**
 * How long a document counts as contested after it was found to have been changed by another process. A
 * contested document is read before each transaction, because a cached copy would be outdated.
 */
const CONTESTED_MS = 5000;

const commitBackoff = { baseMs: 5, maxMs: 500, jitter: 1 };

/**
 * Writes units of work in one transaction. The documents that they depend on are cached between transactions.
 * Each update expects the cached state, so an outdated document is detected and read again.
 */
export class UnitTransaction {
  private readonly known = new LRUCache<string, mongo.Document>({
    max: MAX_KNOWN,
    maxSize: MAX_KNOWN_BYTES,
    sizeCalculation: (document) => mongo.BSON.calculateObjectSize(document),
  });
  /** Keys of documents that other processes also change. */
  private readonly contested = new LRUCache<string, true>({ max: MAX_KNOWN, ttl: CONTESTED_MS });
  /** Commits that were retried because their outcome was unknown. */
  commitRetries = 0;

  constructor(
    private readonly connection: Connection,
    private readonly processes: ProcessRegistry,
  ) {}

  /** Removes a document from the cache. */
  forget(key: string): void {
    this.known.delete(key);
  }

  /** Whether other processes have recently changed the document with this key. */
  isContested(key: string | undefined): boolean {
    return key !== undefined && this.contested.has(key);
  }

  /**
   * @throws Conflict when some units must be retried without the rejected ones; any other error concerns the
   * whole transaction. Nothing was stored, unless the outcome of the commit is unknown
   */
  async commit(units: readonly QueuedUnit[]): Promise<Committed> {
    const { batch, refused } = await this.assemble(units);
    const updates = batch.updates();
    if (updates.size > 0 || batch.inserts.size > 0)
      try {
        await this.transact(async (session) => {
          for (const [collection, statements] of updates) await this.update(session, collection, statements);
          for (const [collection, statements] of batch.inserts)
            await this.insert(session, collection, statements);
        }, latestDeadline(units));
      } catch (error) {
        if (error instanceof Unmatched) throw await this.conflictOf(error);
        if (error instanceof Duplicate) throw await this.duplicatesOf(error);
        throw error;
      }
    for (const [key, document] of batch.sharedDocuments()) this.known.set(key, document);
    return { committed: batch.results, refused };
  }

  /**
   * Runs the units on their documents. If a unit fails on a cached document, or a cached document is not
   * changed, so that no guard verifies it, the document is read from the database and the units run again.
   */
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
          if (queued.key !== undefined && !(error instanceof DuplicateKeyError)) doubtful.add(queued.key);
        }
      for (const key of batch.unverified()) doubtful.add(key);
      // Otherwise the next such unit would have to run twice as well.
      for (const key of doubtful) this.known.delete(key);
      if (![...doubtful].some((key) => remembered.has(key))) return { batch, refused };
    }
  }

  /** The documents that units reference, from the cache or else from the database. */
  private async documentsOf(
    units: readonly QueuedUnit[],
  ): Promise<{ documents: Map<string, mongo.Document>; remembered: ReadonlySet<string> }> {
    const documents = new Map<string, mongo.Document>();
    const missing = new Map<string, DocumentRef>();
    for (const { key, unit } of units) {
      if (key === undefined || !unit.ref) continue;
      const known = this.contested.has(key) ? undefined : this.known.get(key);
      if (known) documents.set(key, known);
      else missing.set(key, unit.ref);
    }
    const remembered = new Set(documents.keys());
    if (missing.size > 0)
      for (const [key, document] of await this.read([...missing.values()])) {
        documents.set(key, document);
        const before = this.known.get(key);
        const guard = missing.get(key)?.guard ?? [];
        if (before && !meets(document, pick(before, guard))) this.contested.set(key, true);
      }
    return { documents, remembered };
  }

  private async read(
    ids: readonly DocumentId[],
    projection?: mongo.Document,
  ): Promise<Map<string, mongo.Document>> {
    const documents = new Map<string, mongo.Document>();
    for (const collection of new Set(ids.map((one) => one.collection))) {
      const wanted = ids.filter((one) => one.collection === collection);
      const filter = {
        tenantId: { $in: [...new Set(wanted.map(({ tenantId }) => tenantId))] },
        _id: { $in: wanted.map(({ id }) => id) },
      };
      const found = this.database.collection(collection).find(filter, { ...(projection && { projection }) });
      for (const document of await found.toArray()) {
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
      const error = writeError(collection, failed);
      throw refuse ? new Conflict(new Map([[refuse.owner, error]])) : error;
    }
    if (n < statements.length) throw new Unmatched(statements);
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
    const error = writeError(collection, failed);
    if (!owner) throw error;
    throw error instanceof DuplicateKeyError
      ? new Duplicate(owner, error, statements)
      : new Conflict(new Map([[owner, error]]));
  }

  /**
   * Finds all units whose value of the unique field is already stored. Each of them would make a transaction
   * fail.
   */
  private async duplicatesOf({ owner, error, statements }: Duplicate): Promise<Conflict> {
    const refused = new Map<QueuedUnit, Error>([[owner, error]]);
    const { collection } = error;
    const [field, ...others] = error.fields.filter((name) => name !== 'tenantId');
    if (field === undefined || others.length > 0) return new Conflict(refused);
    const documents = statements.map(({ document }) => document);
    const valuesOf = (name: string): unknown[] => [
      ...new Set(documents.map((document) => document[name] as unknown)),
    ];
    const filter = {
      tenantId: { $in: valuesOf('tenantId') },
      [field]: { $in: valuesOf(field).filter((value) => value !== undefined) },
    };
    const projection = { tenantId: 1, [field]: 1 };
    const stored = await this.database.collection(collection).find(filter, { projection }).toArray();
    const taken = new Set(stored.map((document) => uniqueValue(collection, document, field)));
    for (const one of statements) {
      const { document } = one;
      if (document[field] !== undefined && taken.has(uniqueValue(collection, document, field)))
        refused.set(one.owner, error);
    }
    return new Conflict(refused);
  }

  /**
   * Determines which updates did not match, from the current state of the documents. Of several updates of
   * one document, only the first can be judged.
   */
  private async conflictOf({ statements }: Unmatched): Promise<Conflict> {
    const firsts = [...new Map(statements.toReversed().map((one) => [keyOf(one.of), one])).entries()];
    const fields = firsts.flatMap(([, { guard }]) => Object.keys(guard));
    const projection = Object.fromEntries(['tenantId', ...fields].map((field) => [field, 1]));
    const found = await this.read(
      firsts.map(([, { of }]) => of),
      projection,
    );
    const refused = new Map<QueuedUnit, Error>();
    for (const [key, { guard, refuse }] of firsts) {
      const document = found.get(key);
      if (document && meets(document, guard)) continue;
      this.known.delete(key);
      this.contested.set(key, true);
      if (refuse) refused.set(refuse.owner, refuse.error());
    }
    return new Conflict(refused);
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
      // An abort would wait for an unreachable server, which aborts the transaction after its own time limit
      // anyway.
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
        this.commitRetries++;
        await delay(backoffDelay(attempt, commitBackoff));
      }
    }
  }

  private get database(): NonNullable<Connection['db']> {
    if (!this.connection.db) throw new Error('the database connection is not open');
    return this.connection.db;
  }
}

const pick = (document: mongo.Document, fields: readonly string[]): FieldChanges =>
  Object.fromEntries(fields.map((field): [string, unknown] => [field, document[field]]));

const latestDeadline = (units: readonly QueuedUnit[]): number =>
  units.reduce((latest, { deadline }) => Math.max(latest, deadline), 0);

function writeError(
  collection: string,
  { code, errmsg, keyPattern }: NonNullable<WriteReply['writeErrors']>[number],
): Error {
  if (code === 11000) return new DuplicateKeyError(collection, Object.keys(keyPattern ?? {}), errmsg);
  return new mongo.MongoServerError({ message: errmsg, code });
}
