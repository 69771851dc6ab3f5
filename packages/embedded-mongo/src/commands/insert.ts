import type { Namespace } from '../engine/types.js';
import { encode, isDoc, typeName } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, namespaceOf } from './arguments.js';
import type { Command } from './command.js';
import { checkDocument } from './document-check.js';
import type { CommandContext } from './host.js';
import type { Reply } from './reply.js';
import { asTransactionWriteError, checkBatchSize, writeErrorDocs } from './write-support.js';

/**
 * The documents to insert as BSON, after checking their structure. A document that is too large is rejected by
 * the engine and does not affect the others.
 */
function documents(ctx: CommandContext, args: Args): Uint8Array[] {
  const raw = ctx.raw.get('documents') ?? args.array('documents')?.map(asBytes);
  const docs = args.required('documents', raw);
  checkBatchSize(docs.length);
  for (const doc of docs) checkDocument(doc);
  return docs;
}

function asBytes(value: unknown, index: number): Uint8Array {
  if (!isDoc(value)) {
    throw new ServerError(
      'TypeMismatch',
      `BSON field 'insert.documents.${index}' is the wrong type '${typeName(value as never)}', expected type 'object'`,
    );
  }
  return encode(value);
}

export async function runInsert(
  ctx: CommandContext,
  ns: Namespace,
  docs: Uint8Array[],
  ordered: boolean,
): Promise<Reply> {
  ctx.host.countOps('insert', docs.length);
  try {
    const result = await ctx.engine.insert(ns, docs, ordered, ctx.op);
    return result.writeErrors.length > 0
      ? { n: result.n, writeErrors: writeErrorDocs(result.writeErrors) }
      : { n: result.n };
  } catch (error) {
    const writeError = asTransactionWriteError(ctx, error, 0);
    return { n: writeError.index, writeErrors: writeErrorDocs([writeError]) };
  }
}

export const insertCommands: readonly Command[] = [
  {
    name: 'insert',
    fields: [
      'insert',
      'documents',
      'ordered',
      'bypassDocumentValidation',
      'bypassEmptyTsReplacement',
      'encryptionInformation',
    ],
    inTransaction: true,
    retryable: true,
    writes: true,
    run(ctx) {
      const ns = namespaceOf('insert', ctx.db, ctx.body);
      const args = new Args('insert', ctx.body);
      return runInsert(ctx, ns, documents(ctx, args), args.boolean('ordered') ?? true);
    },
  },
];
