import { ServerError } from '../values/errors.js';
import type { Collection } from './catalog.js';
import { applyChange } from './document-change.js';
import { storable, validate } from './document-rules.js';
import { StoredDocument } from './stored-document.js';
import type { InsertResult, Namespace, OpContext } from './types.js';
import { writeErrorOf } from './write-error.js';
import { Blocked } from './write-queue.js';
import {
  Chunk,
  collectionForInsert,
  prepareInsert,
  RetrySession,
  runSteps,
  statementError,
} from './write-runner.js';
import type { EngineCore, Step } from './write-runner.js';
import type { Writer } from './writer.js';

/** The bytes to store, or the reason why the document cannot be stored. */
type Prepared = Uint8Array | ServerError;

const prepare = (bytes: Uint8Array): Prepared => {
  try {
    return storable(bytes);
  } catch (error) {
    if (error instanceof ServerError) return error;
    throw error;
  }
};

export const insertDocuments = async (
  core: EngineCore,
  ns: Namespace,
  docs: Uint8Array[],
  ordered: boolean,
  ctx: OpContext,
): Promise<InsertResult> => {
  await prepareInsert(core, ctx, ns);
  const run = new InsertRun(core, ns, docs.map(prepare), ordered, ctx);
  await runSteps(core, ctx, (writer) => run.step(writer));
  return run.result;
};

class InsertRun {
  readonly result: InsertResult = { n: 0, writeErrors: [] };
  private next = 0;

  constructor(
    private readonly core: EngineCore,
    private readonly ns: Namespace,
    private readonly docs: Prepared[],
    private readonly ordered: boolean,
    private readonly ctx: OpContext,
  ) {}

  step(writer: Writer): Step {
    const retry = new RetrySession(this.ctx, writer);
    const chunk = new Chunk();
    let step: Step = 'done';
    while (this.next < this.docs.length) {
      if ((this.next & 15) === 15 && chunk.isOver) {
        step = 'more';
        break;
      }
      const blocked = this.insertNext(writer, retry);
      if (blocked) {
        step = blocked;
        break;
      }
      this.next++;
      if (this.ordered && this.result.writeErrors.length > 0) break;
    }
    retry.save(this.core.now());
    return step;
  }

  private insertNext(writer: Writer, retry: RetrySession): Blocked | undefined {
    const index = this.next;
    if (retry.outcome(index)) {
      this.result.n++;
      return undefined;
    }
    try {
      this.ctx.beforeStatement?.();
      const prepared = this.docs[index]!;
      if (!(prepared instanceof Uint8Array)) throw prepared;
      insertOne(writer, collectionForInsert(this.core, writer, this.ns), prepared, this.ctx);
      retry.remember(index, { kind: 'insert' });
      this.result.n++;
    } catch (error) {
      if (error instanceof Blocked) return error;
      const failure = statementError(error);
      if (!failure) throw error;
      if (writer.txn) throw withIndex(failure, index);
      this.result.writeErrors.push(writeErrorOf(failure, index));
    }
    return undefined;
  }
}

const withIndex = (error: ServerError, index: number): ServerError =>
  new ServerError(error.code, error.message, {
    codeName: error.codeName,
    errorLabels: error.errorLabels,
    details: { ...error.details, index },
  });

const insertOne = (writer: Writer, collection: Collection, bytes: Uint8Array, ctx: OpContext): void => {
  const document = new StoredDocument(bytes);
  validate(collection, document, undefined, ctx.bypassDocumentValidation);
  applyChange(writer, collection, { recordId: collection.allocateRecordId(), after: document });
};
