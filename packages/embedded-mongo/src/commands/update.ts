import { isStageName } from '../aggregate/pipeline.js';
import type { UpdateResult, UpdateStatement } from '../engine/types.js';
import { isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, namespaceOf } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import { genericFields, type Command } from './command.js';
import type { CommandContext } from './host.js';
import { asTransactionWriteError, checkRetryable, statements, writeErrorDocs } from './write-support.js';
import { variablesOf } from './variables.js';

const statementFields = new Set([
  'q',
  'u',
  'c',
  'multi',
  'upsert',
  'upsertSupplied',
  'arrayFilters',
  'collation',
  'hint',
  'sort',
  'sampleId',
  'allowShardKeyUpdatesWithoutFullShardKeyInQuery',
]);

/** Rejects stages that do not exist. This fails the whole command, not only the statement. */
function stages(pipeline: Doc[]): Doc[] {
  for (const stage of pipeline) {
    const name = Object.keys(stage)[0] ?? '';
    if (!isStageName(name)) throw new ServerError(40324, `Unrecognized pipeline stage name: '${name}'`);
  }
  return pipeline;
}

/** Reads an update: operators, a replacement, or a pipeline. */
export function updateValue(args: Args, field: string): Doc | Doc[] {
  const value = args.body[field];
  if (Array.isArray(value)) return stages(args.required(field, args.documents(field)));
  if (isDoc(value)) return value;
  throw new ServerError('FailedToParse', 'Update argument must be either an object or an array');
}

export function updateStatement(statement: Doc, variables: Doc | undefined): UpdateStatement {
  const args = new Args('update.updates', statement);
  checkStatementFields('update.updates', statement, statementFields);
  const filter = args.required('q', args.document('q'));
  args.required('u', statement['u'] ?? undefined);
  const result: UpdateStatement = { filter, update: updateValue(args, 'u') };
  if (args.boolean('multi')) result.multi = true;
  if (args.boolean('upsert')) result.upsert = true;
  const arrayFilters = args.documents('arrayFilters');
  const collation = args.document('collation');
  const hint = args.hint();
  const sort = args.document('sort');
  const constants = args.document('c');
  if (arrayFilters) result.arrayFilters = arrayFilters;
  if (collation) result.collation = collation;
  if (hint !== undefined) result.hint = hint;
  if (sort) result.sort = sort;
  if (variables || constants) result.let = { ...variables, ...constants };
  return result;
}

export function checkStatementFields(where: string, statement: Doc, known: ReadonlySet<string>): void {
  for (const field of Object.keys(statement)) {
    if (!known.has(field) && !genericFields.has(field)) {
      throw new ServerError(40415, `BSON field '${where}.${field}' is an unknown field.`);
    }
  }
}

function reply(result: UpdateResult): ReplyDoc {
  return {
    n: result.n,
    upserted:
      result.upserted.length > 0 ? result.upserted.map(({ index, _id }) => ({ index, _id })) : undefined,
    nModified: result.nModified,
    writeErrors: result.writeErrors.length > 0 ? writeErrorDocs(result.writeErrors) : undefined,
  };
}

async function run(ctx: CommandContext): Promise<ReplyDoc> {
  const ns = namespaceOf('update', ctx.db, ctx.body);
  const args = new Args('update', ctx.body);
  const variables = variablesOf(args);
  const updates = statements(ctx, args, 'updates').map((statement) => updateStatement(statement, variables));
  const ordered = args.boolean('ordered') ?? true;
  checkRetryable(
    ctx,
    updates.some((update) => update.multi === true),
    'multi=true',
  );
  ctx.host.countOps('update', updates.length);
  if (!ctx.op.txn) return reply(await ctx.engine.update(ns, updates, ordered, ctx.op));
  const total: UpdateResult = { n: 0, nModified: 0, upserted: [], writeErrors: [] };
  for (const [index, update] of updates.entries()) {
    try {
      const result = await ctx.engine.update(ns, [update], true, ctx.op);
      total.n += result.n;
      total.nModified += result.nModified;
      total.upserted.push(...result.upserted.map(({ _id }) => ({ index, _id })));
    } catch (error) {
      total.writeErrors.push(asTransactionWriteError(ctx, error, index));
      break;
    }
  }
  return reply(total);
}

export const updateCommands: readonly Command[] = [
  {
    name: 'update',
    fields: ['update', 'updates', 'ordered', 'bypassDocumentValidation', 'bypassEmptyTsReplacement', 'let'],
    inTransaction: true,
    retryable: true,
    writes: true,
    run,
  },
];
