import { ServerError } from '../values/errors.js';
import type { Catalog, Collection } from './catalog.js';
import { plainTraits } from './collection-traits.js';
import { checkInterrupt, yieldToEventLoop } from './record-source.js';
import { openRecord, saveRecord } from './retry-records.js';
import type { RetryRecord, StatementOutcome } from './retry-records.js';
import { StoreFailure } from './store.js';
import type { EngineTransaction } from './transaction.js';
import type { TransactionTable } from './transaction-table.js';
import type { Namespace, OpContext } from './types.js';
import { Blocked } from './write-queue.js';
import type { Batch, WriteQueue } from './write-queue.js';
import { PlainWriter, TransactionWriter } from './writer.js';
import type { Writer } from './writer.js';

/** State shared by the parts of the engine. */
export interface EngineCore {
  readonly catalog: Catalog;
  readonly queue: WriteQueue;
  readonly transactions: TransactionTable;
  readonly now: () => number;
  /** Creates a collection that a write needs. Replaces one left by an aborted transaction. */
  createImplicitly(batch: Batch, ns: Namespace): Collection;
  /** Removes a collection whose transaction aborted, unless another writer uses it. */
  discard(collection: Collection): void;
}

/**
 * Result of one step of an operation in a commit: finished, more to do in the next commit, or waiting for a
 * transaction to end.
 */
export type Step = 'done' | 'more' | Blocked;

/** How long one operation may use a commit before others get a turn. */
const CHUNK_MS = 5;

export class Chunk {
  private readonly ends = performance.now() + CHUNK_MS;

  get isOver(): boolean {
    return performance.now() > this.ends;
  }
}

export const transactionOf = (ctx: OpContext): EngineTransaction | undefined =>
  ctx.txn as EngineTransaction | undefined;

/**
 * Runs an operation until it is done. Each step runs in its own commit, or against the transaction's overlay.
 * A step must not throw after it has written.
 */
export const runSteps = async (
  core: EngineCore,
  ctx: OpContext,
  step: (writer: Writer) => Step,
): Promise<void> => {
  const txn = transactionOf(ctx);
  for (;;) {
    checkInterrupt(ctx, core.now);
    if (txn) core.transactions.requireOpen(txn);
    const result = txn
      ? step(new TransactionWriter(txn, core.transactions))
      : await core.queue.run((batch) => step(new PlainWriter(batch, core.transactions)));
    if (result === 'done') return;
    if (result instanceof Blocked) await waitForEnd(result, ctx, core.now);
    else if (txn) await yieldToEventLoop();
  }
};

/** Rejects writes to a view, and writes of a transaction to a capped collection. */
export const requireWritable = (collection: Collection, writer: Writer, removing = false): void => {
  const { traits, name } = collection;
  if (traits === plainTraits) return;
  if (traits.view) throw isView(name);
  if (!traits.capped || !writer.txn) return;
  throw removing
    ? new ServerError(
        'IllegalOperation',
        `Cannot remove from a capped collection in a multi-document transaction: ${name}`,
      )
    : new ServerError(
        'OperationNotSupportedInTransaction',
        `Collection '${name}' is a capped collection. Writes in transactions are not allowed on capped collections.`,
      );
};

export const isView = (name: string): ServerError =>
  new ServerError('CommandNotSupportedOnView', `Namespace ${name} is a view, not a collection`);

/** How often a waiting write checks whether it was killed or has timed out, milliseconds. */
const WAIT_CHECK_MS = 10;

/** Waits for the blocking transaction to end. Throws if the operation is killed or times out first. */
const waitForEnd = async ({ ended }: Blocked, ctx: OpContext, now: () => number): Promise<void> => {
  let over = false;
  const end = ended.then(() => {
    over = true;
  });
  ctx.waiting = true;
  try {
    while (!over) {
      checkInterrupt(ctx, now);
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([end, new Promise((resolve) => (timer = setTimeout(resolve, WAIT_CHECK_MS)))]);
      clearTimeout(timer);
    }
  } finally {
    ctx.waiting = false;
  }
};

/**
 * Returns the collection that a write inserts into, creating it if needed. For transactions, `prepareInsert`
 * has created it beforehand in a separate commit.
 */
export const collectionForInsert = (core: EngineCore, writer: Writer, ns: Namespace): Collection => {
  const existing = core.catalog.get(ns);
  if (existing && !isAbandoned(existing)) {
    requireWritable(existing, writer);
    if (writer.txn) core.transactions.requireCurrent(writer.txn, existing);
    if (existing.pendingIn !== writer.txn) existing.pendingIn = undefined;
    return existing;
  }
  if (!(writer instanceof PlainWriter)) {
    throw new ServerError('NamespaceNotFound', `ns does not exist: ${ns.db}.${ns.coll}`);
  }
  return core.createImplicitly(writer.batch, ns);
};

/**
 * Creates a missing collection that a transaction inserts into, in a separate commit beforehand. Others see
 * it once the transaction commits. It is removed if the transaction aborts, unless others have inserted into
 * it.
 */
export const prepareInsert = async (core: EngineCore, ctx: OpContext, ns: Namespace): Promise<void> => {
  const txn = transactionOf(ctx);
  const present = core.catalog.get(ns);
  if (!txn || (present && !isAbandoned(present))) return;
  core.transactions.requireOpen(txn);
  await core.queue.run((batch) => {
    const existing = core.catalog.get(ns);
    if (!existing || isAbandoned(existing)) recordCreation(core, txn, core.createImplicitly(batch, ns));
  });
};

/** Whether the collection was created by a transaction that aborted and has not been removed yet. */
export const isAbandoned = ({ pendingIn }: Collection): boolean => pendingIn?.state === 'aborted';

/** Records that the transaction created the collection. */
export const recordCreation = (core: EngineCore, txn: EngineTransaction, collection: Collection): void => {
  txn.created.add(collection);
  collection.pendingIn = txn;
  void txn.ended.then(() => {
    if (collection.pendingIn !== txn) return;
    if (txn.state === 'committed') collection.pendingIn = undefined;
    else core.discard(collection);
  });
};

/**
 * Converts the failure of one statement to an error reported for that statement. Returns undefined for errors
 * that end the whole command. Unexpected errors are attributed to the statement, because all computation
 * precedes the first write.
 */
export const statementError = (error: unknown): ServerError | undefined => {
  if (error instanceof StoreFailure) return undefined;
  if (!(error instanceof ServerError)) {
    return new ServerError('InternalError', error instanceof Error ? error.message : String(error));
  }
  return error.errorLabels.length > 0 || wholeCommand.has(error.codeName) ? undefined : error;
};

const wholeCommand = new Set([
  'MaxTimeMSExpired',
  'Interrupted',
  'InterruptedAtShutdown',
  'TransactionTooOld',
  'NoSuchTransaction',
  'OutOfDiskSpace',
]);

/**
 * The retry record of one operation. It is read in each commit, and written back in the same commit if it has
 * grown.
 */
export class RetrySession {
  private readonly record: RetryRecord | undefined;
  private grown = false;

  constructor(
    private readonly ctx: OpContext,
    private readonly writer: Writer,
  ) {
    const { retry } = ctx;
    if (retry && !ctx.txn) this.record = openRecord(writer.view, retry.lsid, retry.txnNumber);
  }

  /** The stored result of statement `index`. */
  outcome(index: number): StatementOutcome | undefined {
    return this.record?.outcome(this.statementId(index));
  }

  remember(index: number, outcome: StatementOutcome): void {
    if (!this.record) return;
    this.record.remember(this.statementId(index), outcome);
    this.grown = true;
  }

  save(now: number): void {
    const { retry } = this.ctx;
    if (this.record && this.grown && retry) saveRecord(this.writer, retry.lsid, this.record, now);
  }

  private statementId(index: number): number {
    return this.ctx.retry?.stmtIds?.[index] ?? index;
  }
}
