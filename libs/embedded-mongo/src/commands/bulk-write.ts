import type { Namespace, UpdateStatement, DeleteStatement } from '../engine/types.js';
import {
  decode,
  encode,
  isDoc,
  isNumeric,
  rawField,
  toNumber,
  type Doc,
  type Value,
} from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, parseNamespace } from './arguments.js';
import { arraySource } from './array-source.js';
import type { Command } from './command.js';
import { firstBatch } from './cursor-commands.js';
import { deleteStatement } from './delete.js';
import type { CommandContext } from './host.js';
import { checkInsertable } from './insert.js';
import { CursorReply, type Reply } from './reply.js';
import { updateStatement } from './update.js';
import { asTransactionWriteError, checkBatchSize, checkRetryable } from './write-support.js';

type Operation =
  | { kind: 'insert'; ns: Namespace; document: Uint8Array }
  | { kind: 'update'; ns: Namespace; statement: UpdateStatement }
  | { kind: 'delete'; ns: Namespace; statement: DeleteStatement };

/** What one operation did, as a document of the answer's cursor. */
interface Outcome {
  n: number;
  nModified?: number;
  upserted?: { _id: Value };
  error?: { code: number; errmsg: string; keyPattern?: Doc; keyValue?: Doc; errInfo?: Doc };
}

function namespaces(ctx: CommandContext, args: Args): Namespace[] {
  const infos =
    ctx.raw.get('nsInfo')?.map((bytes) => decode(bytes)) ?? args.required('nsInfo', args.documents('nsInfo'));
  return infos.map((info) => {
    const one = new Args('bulkWrite.nsInfo', info);
    return parseNamespace(one.required('ns', one.string('ns')));
  });
}

function target(op: Doc, kind: string, known: readonly Namespace[]): Namespace {
  const index = op[kind];
  const ns = isNumeric(index) ? known[toNumber(index)] : undefined;
  if (!ns) throw new ServerError('BadValue', `BulkWrite ops entry has an invalid nsInfo index for ${kind}`);
  return ns;
}

function renamed(op: Doc, names: Readonly<Record<string, string>>): Doc {
  const statement: Doc = {};
  for (const [from, to] of Object.entries(names)) if (op[from] !== undefined) statement[to] = op[from];
  return statement;
}

function operation(bytes: Uint8Array, known: readonly Namespace[], variables: Doc | undefined): Operation {
  const op = decode(bytes);
  const kind = Object.keys(op)[0];
  if (kind === 'insert') {
    const document = rawField(bytes, 'document');
    if (!document || !isDoc(op['document']))
      throw new ServerError(40414, "BSON field 'bulkWrite.insert.document' is missing but a required field");
    checkInsertable(document);
    return { kind, ns: target(op, kind, known), document };
  }
  if (kind === 'update') {
    const names = {
      filter: 'q',
      updateMods: 'u',
      multi: 'multi',
      upsert: 'upsert',
      arrayFilters: 'arrayFilters',
      collation: 'collation',
      hint: 'hint',
      sort: 'sort',
      constants: 'c',
    };
    return { kind, ns: target(op, kind, known), statement: updateStatement(renamed(op, names), variables) };
  }
  if (kind === 'delete') {
    const statement = renamed(op, { filter: 'q', collation: 'collation', hint: 'hint' });
    statement['limit'] = op['multi'] === true ? 0 : 1;
    return { kind, ns: target(op, kind, known), statement: deleteStatement(statement, variables) };
  }
  throw new ServerError(
    'FailedToParse',
    `bulkWrite ops entry must be an insert, update or delete, not '${kind ?? ''}'`,
  );
}

async function perform(ctx: CommandContext, op: Operation, index: number): Promise<Outcome> {
  const context = ctx.op.retry ? { ...ctx.op, retry: { ...ctx.op.retry, stmtIds: [index] } } : ctx.op;
  try {
    if (op.kind === 'insert') {
      const { n, writeErrors } = await ctx.engine.insert(op.ns, [op.document], true, context);
      return { n, ...(writeErrors[0] && { error: writeErrors[0] }) };
    }
    if (op.kind === 'update') {
      const { n, nModified, upserted, writeErrors } = await ctx.engine.update(
        op.ns,
        [op.statement],
        true,
        context,
      );
      return {
        n,
        nModified,
        ...(upserted[0] && { upserted: { _id: upserted[0]._id } }),
        ...(writeErrors[0] && { error: writeErrors[0] }),
      };
    }
    const { n, writeErrors } = await ctx.engine.delete(op.ns, [op.statement], true, context);
    return { n, ...(writeErrors[0] && { error: writeErrors[0] }) };
  } catch (error) {
    return { n: 0, error: asTransactionWriteError(ctx, error, index) };
  }
}

function outcomeDoc({ n, nModified, upserted, error }: Outcome, index: number): Doc {
  const doc: Doc = { ok: error ? 0 : 1, idx: index, n };
  if (nModified !== undefined) doc['nModified'] = nModified;
  if (upserted) doc['upserted'] = { _id: upserted._id };
  if (error) {
    doc['code'] = error.code;
    doc['errmsg'] = error.errmsg;
    for (const field of ['keyPattern', 'keyValue', 'errInfo'] as const)
      if (error[field]) doc[field] = error[field];
  }
  return doc;
}

async function run(ctx: CommandContext): Promise<Reply> {
  const args = new Args('bulkWrite', ctx.body);
  const known = namespaces(ctx, args);
  const variables = args.document('let');
  const raw = ctx.raw.get('ops') ?? args.required('ops', args.documents('ops')).map((op) => encode(op));
  checkBatchSize(raw.length);
  const operations = raw.map((bytes) => operation(bytes, known, variables));
  const many = operations.some(
    (op) =>
      (op.kind === 'update' && op.statement.multi) || (op.kind === 'delete' && op.statement.limit === 0),
  );
  checkRetryable(ctx, many, 'multi=true');
  const ordered = args.boolean('ordered') ?? true;
  const errorsOnly = args.boolean('errorsOnly') ?? false;
  const totals = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
  const docs: Uint8Array[] = [];
  for (const [index, op] of operations.entries()) {
    ctx.host.countOps(op.kind, 1);
    const outcome = await perform(ctx, op, index);
    if (op.kind === 'insert') totals.nInserted += outcome.n;
    else if (op.kind === 'delete') totals.nDeleted += outcome.n;
    else if (outcome.upserted) totals.nUpserted += 1;
    else totals.nMatched += outcome.n;
    totals.nModified += outcome.nModified ?? 0;
    if (outcome.error) totals.nErrors += 1;
    if (outcome.error || !errorsOnly) docs.push(encode(outcomeDoc(outcome, index)));
    if (outcome.error && (ordered || ctx.op.txn)) break;
  }
  const cursor = args.document('cursor');
  const batchSize = cursor ? new Args('bulkWrite.cursor', cursor).integer('batchSize') : undefined;
  const ns = { db: 'admin', coll: '$cmd.bulkWrite' };
  const batch = await firstBatch(ctx, ns, arraySource(docs), { batchSize: batchSize ?? docs.length + 1 });
  return new CursorReply(batch.ns, batch.id, batch.field, batch.docs, totals);
}

export const bulkWriteCommands: readonly Command[] = [
  {
    name: 'bulkWrite',
    fields: [
      'bulkWrite',
      'ops',
      'nsInfo',
      'ordered',
      'bypassDocumentValidation',
      'let',
      'errorsOnly',
      'cursor',
    ],
    adminOnly: true,
    inTransaction: true,
    retryable: true,
    writes: true,
    run,
  },
];
