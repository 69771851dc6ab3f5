import { compileProjection } from '../query/projection.js';
import { encode } from '../values/bson.js';
import { withContext } from '../values/errors.js';
import { applyChange } from './document-change.js';
import { DocumentUpdate } from './document-update.js';
import { ModifyRun } from './modify-run.js';
import type { ModifyAction } from './modify-run.js';
import type { PreparedQuery } from './prepared-query.js';
import type { StatementOutcome } from './retry-records.js';
import { collectionForChange } from './statements.js';
import { StoreFailure } from './store.js';
import type { StoredDocument } from './stored-document.js';
import type { FindAndModifyResult, FindAndModifySpec, Namespace, OpContext } from './types.js';
import { Blocked } from './write-queue.js';
import { collectionForInsert, prepareInsert, RetrySession, runSteps } from './write-runner.js';
import type { EngineCore, Step } from './write-runner.js';
import type { Writer } from './writer.js';

type Outcome = StatementOutcome & { kind: 'findAndModify' };

export const findAndModify = async (
  core: EngineCore,
  ns: Namespace,
  spec: FindAndModifySpec,
  ctx: OpContext,
): Promise<FindAndModifyResult> => {
  if (spec.upsert) await prepareInsert(core, ctx, ns);
  let run: { step(writer: Writer): Step } | undefined;
  let outcome = emptyOutcome(spec);
  let failure: { error: unknown } | undefined;
  await runSteps(core, ctx, (writer) => {
    const retry = new RetrySession(ctx, writer);
    const before = run ? undefined : retry.outcome(0);
    if (before?.kind === 'findAndModify') {
      outcome = before;
      return 'done';
    }
    try {
      if (!run) ctx.beforeStatement?.();
      run ??= startRun(core, ns, spec, ctx, writer, outcome);
      const step = stepOf(run, writer);
      if (step !== 'done') return step;
    } catch (error) {
      if (error instanceof Blocked) return error;
      if (writer.txn || error instanceof StoreFailure) throw error;
      // The collection may have been created by this statement. Throwing here would fail the other writes of
      // the commit.
      failure = { error };
      return 'done';
    }
    retry.remember(0, outcome);
    retry.save(core.now());
    return 'done';
  });
  if (failure) throw failure.error;
  return resultOf(outcome);
};

const stepOf = (run: { step(writer: Writer): Step }, writer: Writer): Step => {
  try {
    return run.step(writer);
  } catch (error) {
    throw withContext(error, 'Plan executor error during findAndModify');
  }
};

const emptyOutcome = (spec: FindAndModifySpec): Outcome =>
  spec.remove
    ? { kind: 'findAndModify', value: null, n: 0 }
    : { kind: 'findAndModify', value: null, n: 0, updatedExisting: false };

const resultOf = ({ value, n, updatedExisting, upsertedId }: Outcome): FindAndModifyResult => ({
  value,
  n,
  ...(updatedExisting === undefined ? {} : { updatedExisting }),
  ...(upsertedId === undefined ? {} : { upsertedId }),
});

const startRun = (
  core: EngineCore,
  ns: Namespace,
  spec: FindAndModifySpec,
  ctx: OpContext,
  writer: Writer,
  outcome: Outcome,
): { step(writer: Writer): Step } => {
  const update =
    spec.update === undefined
      ? undefined
      : new DocumentUpdate({ ...spec, update: spec.update }, ctx, core.now);
  const collection = spec.upsert
    ? collectionForInsert(core, writer, ns)
    : collectionForChange(core, writer, ns, spec.remove);
  if (!collection) return { step: () => 'done' };
  const show = (document: StoredDocument, query: PreparedQuery | undefined): Uint8Array =>
    projected(document, spec, query);
  const action: ModifyAction = {
    multi: false,
    // The projection can fail, so it is computed before the write.
    change(target, match, query) {
      const { recordId, document: before } = match;
      if (!update) {
        const value = show(before, query);
        applyChange(target, collection, { recordId, before });
        Object.assign(outcome, { value, n: 1 });
        return;
      }
      const after = update.changed(collection, match, query);
      const value = show(spec.returnNew ? (after ?? before) : before, query);
      if (after) applyChange(target, collection, { recordId, before, after, by: update.by });
      Object.assign(outcome, { value, n: 1, updatedExisting: true });
    },
    none(target) {
      if (!spec.upsert || !update) return;
      const after = update.upserted(collection);
      const value = spec.returnNew ? show(after, undefined) : null;
      applyChange(target, collection, { recordId: collection.allocateRecordId(), after });
      Object.assign(outcome, { value, n: 1, updatedExisting: false, upsertedId: after.doc._id });
    },
  };
  return new ModifyRun(collection, spec, action, writer, ctx);
};

const projected = (
  document: StoredDocument,
  spec: FindAndModifySpec,
  query: PreparedQuery | undefined,
): Uint8Array => {
  if (!spec.fields || Object.keys(spec.fields).length === 0) return document.bytes;
  const projection = compileProjection(spec.fields, query?.filter.ast, { let: spec.let });
  if (projection.isNoop) return document.bytes;
  const arrayIndex =
    projection.needsPosition && query ? query.filter.matchPositional(document.doc).arrayIndex : undefined;
  return encode(projection.apply(document.doc, arrayIndex));
};
