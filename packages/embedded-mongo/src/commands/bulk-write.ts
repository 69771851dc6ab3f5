import type { DeleteStatement, Namespace, OpContext, UpdateStatement, WriteError } from '../engine/types.js';
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
import { checkDocument } from './document-check.js';
import type { CommandContext } from './host.js';
import { CursorReply, type Reply } from './reply.js';
import { updateStatement } from './update.js';
import { asTransactionWriteError, checkBatchSize, checkRetryable } from './write-support.js';
import { variablesOf } from './variables.js';

type Operation =
  | { kind: 'insert'; ns: Namespace; document: Uint8Array }
  | { kind: 'update'; ns: Namespace; statement: UpdateStatement }
  | { kind: 'delete'; ns: Namespace; statement: DeleteStatement };

/** The result of one operation in the reply's cursor. */
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
    checkDocument(document);
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

/** Maximum number of operations per call of the engine. */
const groupSize = 1_000;

/**
 * The operations from `at` on with the same kind and collection. In a transaction each operation is a group,
 * because the first failure ends the transaction.
 */
function groupFrom(ctx: CommandContext, operations: readonly Operation[], at: number): Operation[] {
  const first = operations[at]!;
  if (ctx.op.txn) return [first];
  const same = ({ kind, ns }: Operation): boolean =>
    kind === first.kind && ns.coll === first.ns.coll && ns.db === first.ns.db;
  let end = at + 1;
  while (end < operations.length && end - at < groupSize && same(operations[end]!)) end++;
  return operations.slice(at, end);
}

/**
 * Executes the operations and returns their results in order. The list is shorter if an ordered operation
 * failed. `first`: index of the first operation.
 */
async function performGroup(
  ctx: CommandContext,
  group: readonly Operation[],
  first: number,
  ordered: boolean,
): Promise<Outcome[]> {
  const done: (Outcome | undefined)[] = [];
  const op: OpContext = {
    ...ctx.op,
    statementDone: (index, outcome) => {
      done[index] = outcome;
    },
    ...(ctx.op.retry && { retry: { ...ctx.op.retry, stmtIds: group.map((_, i) => first + i) } }),
  };
  let errors: readonly WriteError[];
  try {
    errors = await performAll(ctx, group, ordered, op);
  } catch (error) {
    errors = [{ ...asTransactionWriteError(ctx, error, 0), index: 0 }];
  } finally {
    if (op.examined) ctx.op.examined = op.examined;
  }
  for (const { index, ...error } of errors) done[index] = { n: 0, ...done[index], error };
  const end = ordered && errors.length > 0 ? errors[0]!.index + 1 : group.length;
  return Array.from({ length: end }, (_, i) => done[i] ?? { n: group[i]!.kind === 'insert' ? 1 : 0 });
}

async function performAll(
  ctx: CommandContext,
  group: readonly Operation[],
  ordered: boolean,
  op: OpContext,
): Promise<readonly WriteError[]> {
  const { engine } = ctx;
  const { kind, ns } = group[0]!;
  const of = <K extends Operation['kind']>(wanted: K): Extract<Operation, { kind: K }>[] =>
    group.filter((one): one is Extract<Operation, { kind: K }> => one.kind === wanted);
  switch (kind) {
    case 'insert': {
      const documents = of('insert').map(({ document }) => document);
      return (await engine.insert(ns, documents, ordered, op)).writeErrors;
    }
    case 'update': {
      const statements = of('update').map(({ statement }) => statement);
      return (await engine.update(ns, statements, ordered, op)).writeErrors;
    }
    case 'delete': {
      const statements = of('delete').map(({ statement }) => statement);
      return (await engine.delete(ns, statements, ordered, op)).writeErrors;
    }
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

type Totals = Record<'nErrors' | 'nInserted' | 'nMatched' | 'nModified' | 'nUpserted' | 'nDeleted', number>;

function addTo(totals: Totals, kind: Operation['kind'], outcome: Outcome): void {
  if (kind === 'insert') totals.nInserted += outcome.n;
  else if (kind === 'delete') totals.nDeleted += outcome.n;
  else if (outcome.upserted) totals.nUpserted += 1;
  else totals.nMatched += outcome.n;
  totals.nModified += outcome.nModified ?? 0;
  if (outcome.error) totals.nErrors += 1;
}

async function run(ctx: CommandContext): Promise<Reply> {
  const args = new Args('bulkWrite', ctx.body);
  const known = namespaces(ctx, args);
  const variables = variablesOf(args);
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
  const totals: Totals = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
  const docs: Uint8Array[] = [];
  for (let at = 0, failed = false; at < operations.length && !failed;) {
    const group = groupFrom(ctx, operations, at);
    ctx.host.countOps(group[0]!.kind, group.length);
    const outcomes = await performGroup(ctx, group, at, ordered);
    for (const [i, outcome] of outcomes.entries()) {
      addTo(totals, group[i]!.kind, outcome);
      if (outcome.error || !errorsOnly) docs.push(encode(outcomeDoc(outcome, at + i)));
      failed ||= outcome.error !== undefined && (ordered || ctx.op.txn !== undefined);
    }
    at += group.length;
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
