import type { Collection } from './catalog.js';
import { applyChange } from './document-change.js';
import { DocumentUpdate } from './document-update.js';
import { ModifyRun } from './modify-run.js';
import type { ModifyAction } from './modify-run.js';
import { checkQuery } from './prepared-query.js';
import type { StatementOutcome } from './retry-records.js';
import type {
  DeleteResult,
  DeleteStatement,
  Namespace,
  OpContext,
  UpdateResult,
  UpdateStatement,
  WriteError,
} from './types.js';
import { writeErrorOf } from './write-error.js';
import { Blocked } from './write-queue.js';
import {
  Chunk,
  collectionForInsert,
  prepareInsert,
  requireWritable,
  RetrySession,
  runSteps,
  statementError,
} from './write-runner.js';
import type { EngineCore, Step } from './write-runner.js';
import type { Writer } from './writer.js';

/** A statement that has started. `outcome` is set when it completes. */
interface Started {
  run: { step(writer: Writer): Step } | undefined;
  outcome(): StatementOutcome;
}

/** Runs a list of update or delete statements in order, across as many commits as they need. */
class StatementList {
  readonly writeErrors: WriteError[] = [];
  private next = 0;
  private current: Started | undefined;

  constructor(
    private readonly core: EngineCore,
    private readonly ctx: OpContext,
    private readonly count: number,
    private readonly ordered: boolean,
    private readonly start: (writer: Writer, index: number) => Started,
    private readonly done: (index: number, outcome: StatementOutcome) => void,
  ) {}

  step(writer: Writer): Step {
    const retry = new RetrySession(this.ctx, writer);
    const chunk = new Chunk();
    let step: Step = 'done';
    while (this.next < this.count) {
      step = this.stepStatement(writer, retry);
      if (step !== 'done') break;
      if (this.ordered && this.writeErrors.length > 0) break;
      if (this.next < this.count && chunk.isOver) {
        step = 'more';
        break;
      }
    }
    retry.save(this.core.now());
    return step;
  }

  private stepStatement(writer: Writer, retry: RetrySession): Step {
    const index = this.next;
    const before = this.current ? undefined : retry.outcome(index);
    if (before) {
      this.done(index, before);
      this.next++;
      return 'done';
    }
    try {
      if (!this.current) this.ctx.beforeStatement?.();
      const started = (this.current ??= this.start(writer, index));
      const step = started.run?.step(writer) ?? 'done';
      if (step !== 'done') return step;
      const outcome = started.outcome();
      retry.remember(index, outcome);
      this.done(index, outcome);
    } catch (error) {
      if (error instanceof Blocked) return error;
      const failure = statementError(error);
      if (!failure || writer.txn) throw failure ?? error;
      const partial = this.current?.outcome();
      if (partial) this.done(index, partial);
      this.writeErrors.push(writeErrorOf(failure, index));
    }
    this.current = undefined;
    this.next++;
    return 'done';
  }
}

export const updateDocuments = async (
  core: EngineCore,
  ns: Namespace,
  statements: UpdateStatement[],
  ordered: boolean,
  ctx: OpContext,
): Promise<UpdateResult> => {
  if (statements.some((statement) => statement.upsert)) await prepareInsert(core, ctx, ns);
  const result: UpdateResult = { n: 0, nModified: 0, upserted: [], writeErrors: [] };
  const list = new StatementList(
    core,
    ctx,
    statements.length,
    ordered,
    (writer, index) => startUpdate(core, ns, statements[index]!, ctx, writer),
    (index, outcome) => {
      if (outcome.kind !== 'update') return;
      result.n += outcome.n;
      result.nModified += outcome.nModified;
      if (outcome.hasUpserted) result.upserted.push({ index, _id: outcome.upserted });
      ctx.statementDone?.(index, {
        n: outcome.n,
        nModified: outcome.nModified,
        ...(outcome.hasUpserted && { upserted: { _id: outcome.upserted } }),
      });
    },
  );
  await runSteps(core, ctx, (writer) => list.step(writer));
  result.writeErrors = list.writeErrors;
  return result;
};

/** The collection that the writer may use, or undefined if there is none. */
export const collectionForChange = (
  core: EngineCore,
  writer: Writer,
  ns: Namespace,
  removing = false,
): Collection | undefined => {
  const collection = core.catalog.get(ns);
  if (collection) requireWritable(collection, writer, removing);
  if (writer.txn) {
    if (collection) core.transactions.requireCurrent(writer.txn, collection);
    else {
      core.transactions.requireNotDropped(
        writer.txn,
        `${ns.db}.${ns.coll}`,
        core.catalog.droppedSequence(ns),
      );
    }
  }
  return collection;
};

const startUpdate = (
  core: EngineCore,
  ns: Namespace,
  statement: UpdateStatement,
  ctx: OpContext,
  writer: Writer,
): Started => {
  const update = new DocumentUpdate(statement, ctx, core.now);
  const collection = statement.upsert
    ? collectionForInsert(core, writer, ns)
    : collectionForChange(core, writer, ns);
  const outcome: StatementOutcome & { kind: 'update' } = { kind: 'update', n: 0, nModified: 0 };
  if (!collection) {
    checkQuery(statement);
    return { run: undefined, outcome: () => outcome };
  }
  const action: ModifyAction = {
    multi: statement.multi ?? false,
    change(target, match, query) {
      const after = update.changed(collection, match, query);
      if (after) {
        const { recordId, document: before } = match;
        applyChange(target, collection, { recordId, before, after, by: update.by });
      }
      outcome.n++;
      if (after) outcome.nModified++;
    },
    none(target) {
      if (!statement.upsert) return;
      const inserted = update.upserted(collection);
      applyChange(target, collection, { recordId: collection.allocateRecordId(), after: inserted });
      outcome.n = 1;
      outcome.upserted = inserted.doc._id;
      outcome.hasUpserted = true;
    },
  };
  return { run: new ModifyRun(collection, statement, action, writer, ctx), outcome: () => outcome };
};

export const deleteDocuments = async (
  core: EngineCore,
  ns: Namespace,
  statements: DeleteStatement[],
  ordered: boolean,
  ctx: OpContext,
): Promise<DeleteResult> => {
  const result: DeleteResult = { n: 0, writeErrors: [] };
  const list = new StatementList(
    core,
    ctx,
    statements.length,
    ordered,
    (writer, index) => startDelete(core, ns, statements[index]!, ctx, writer),
    (index, outcome) => {
      if (outcome.kind !== 'delete') return;
      result.n += outcome.n;
      ctx.statementDone?.(index, { n: outcome.n });
    },
  );
  await runSteps(core, ctx, (writer) => list.step(writer));
  result.writeErrors = list.writeErrors;
  return result;
};

const startDelete = (
  core: EngineCore,
  ns: Namespace,
  statement: DeleteStatement,
  ctx: OpContext,
  writer: Writer,
): Started => {
  const outcome: StatementOutcome & { kind: 'delete' } = { kind: 'delete', n: 0 };
  const collection = collectionForChange(core, writer, ns, true);
  if (!collection) {
    checkQuery(statement);
    return { run: undefined, outcome: () => outcome };
  }
  const action: ModifyAction = {
    multi: statement.limit === 0,
    change(target, { recordId, document }) {
      applyChange(target, collection, { recordId, before: document });
      outcome.n++;
    },
    none() {},
  };
  return { run: new ModifyRun(collection, statement, action, writer, ctx), outcome: () => outcome };
};
