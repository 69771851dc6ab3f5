import type { DeleteResult, DeleteStatement } from '../engine/types.js';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, namespaceOf } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';
import { checkStatementFields } from './update.js';
import { asTransactionWriteError, checkRetryable, statements, writeErrorDocs } from './write-support.js';
import { variablesOf } from './variables.js';

const statementFields = new Set(['q', 'limit', 'collation', 'hint', 'sampleId']);

export function deleteStatement(statement: Doc, variables: Doc | undefined): DeleteStatement {
  const args = new Args('delete.deletes', statement);
  checkStatementFields('delete.deletes', statement, statementFields);
  const filter = args.required('q', args.document('q'));
  const limit = args.required('limit', args.integer('limit', Number.MIN_SAFE_INTEGER));
  if (limit !== 0 && limit !== 1) {
    throw new ServerError('FailedToParse', `The limit field in delete objects must be 0 or 1. Got ${limit}`);
  }
  const result: DeleteStatement = { filter, limit };
  const collation = args.document('collation');
  const hint = args.hint();
  if (collation) result.collation = collation;
  if (hint !== undefined) result.hint = hint;
  if (variables) result.let = variables;
  return result;
}

const reply = (result: DeleteResult): ReplyDoc => ({
  n: result.n,
  writeErrors: result.writeErrors.length > 0 ? writeErrorDocs(result.writeErrors) : undefined,
});

async function run(ctx: CommandContext): Promise<ReplyDoc> {
  const ns = namespaceOf('delete', ctx.db, ctx.body);
  const args = new Args('delete', ctx.body);
  const variables = variablesOf(args);
  const deletes = statements(ctx, args, 'deletes').map((statement) => deleteStatement(statement, variables));
  const ordered = args.boolean('ordered') ?? true;
  checkRetryable(
    ctx,
    deletes.some(({ limit }) => limit === 0),
    'limit=0',
  );
  ctx.host.countOps('delete', deletes.length);
  if (!ctx.op.txn) return reply(await ctx.engine.delete(ns, deletes, ordered, ctx.op));
  const total: DeleteResult = { n: 0, writeErrors: [] };
  for (const [index, statement] of deletes.entries()) {
    try {
      total.n += (await ctx.engine.delete(ns, [statement], true, ctx.op)).n;
    } catch (error) {
      total.writeErrors.push(asTransactionWriteError(ctx, error, index));
      break;
    }
  }
  return reply(total);
}

export const deleteCommands: readonly Command[] = [
  {
    name: 'delete',
    fields: ['delete', 'deletes', 'ordered', 'let'],
    inTransaction: true,
    retryable: true,
    writes: true,
    run,
  },
];
