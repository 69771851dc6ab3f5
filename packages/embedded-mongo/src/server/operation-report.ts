import type { Operation } from '../commands/host.js';
import { CursorReply, type Reply } from '../commands/reply.js';
import type { PlanSummary } from '../engine/types.js';
import { decode, formatDoc, isDoc, isNumeric, long, toNumber, type Doc, type Value } from '../values/bson.js';
import type { ServerError } from '../values/errors.js';
import { appNameOf } from './fail-points.js';

/** Longest list in a command that a report shows in full. */
const maxShown = 20;

/** A completed operation. */
export interface Finished {
  operation: Operation;
  /** Document sequences sent outside the body. */
  raw: ReadonlyMap<string, Uint8Array[]>;
  reply: Reply;
  error: ServerError | undefined;
  /** Size of the reply in bytes. */
  responseLength: number;
  millis: number;
  /** Epoch milliseconds. */
  endedAt: number;
}

/** The plan as shown in the log and the profile: `IXSCAN { a: 1 }`, `COLLSCAN`. */
export function planText(plan: PlanSummary): string {
  if (plan.stage === 'OR') return (plan.inputs ?? []).map(planText).join(', ');
  return plan.stage === 'IXSCAN' && plan.keyPattern ? `IXSCAN ${formatDoc(plan.keyPattern)}` : plan.stage;
}

/** The report of an operation for profile and log, with MongoDB's field names. */
export function reportOf(finished: Finished): Doc {
  const { operation, reply, error } = finished;
  const { examined } = operation.op;
  return withoutMissing({
    op: operation.kind,
    ns: operation.ns,
    command: commandOf(finished),
    originatingCommand: operation.origin && withoutBulk(operation.origin),
    cursorid: cursorId(reply, operation),
    keysExamined: examined?.keysExamined,
    docsExamined: examined?.docsExamined,
    hasSortStage: examined?.plan().blockingSort === true ? true : undefined,
    cursorExhausted: reply instanceof CursorReply && reply.id === 0n ? true : undefined,
    numYield: 0,
    ...resultCounts(operation, reply),
    errMsg: error?.message,
    errName: error?.codeName,
    errCode: error?.code,
    locks: {},
    responseLength: finished.responseLength,
    protocol: 'op_msg',
    millis: Math.round(finished.millis),
    planSummary: examined && planText(examined.plan()),
    ts: new Date(finished.endedAt),
    client: operation.connection.remoteAddress,
    appName: appNameOf(operation.connection.client),
    allUsers: [],
    user: '',
  });
}

const withoutMissing = (doc: Doc): Doc =>
  Object.fromEntries(Object.entries(doc).filter(([, value]) => value !== undefined));

/** A command without its long lists, which could be as large as a message. */
export const withoutBulk = (body: Doc): Doc =>
  Object.fromEntries(
    Object.entries(body).filter(([, value]) => !Array.isArray(value) || value.length < maxShown),
  );

/** As in MongoDB, a write with a single statement is reported as that statement. */
function commandOf({ operation, raw }: Finished): Doc {
  const { kind, body } = operation;
  if (kind !== 'update' && kind !== 'remove') return withoutBulk(body);
  const field = kind === 'update' ? 'updates' : 'deletes';
  const listed = raw.get(field) ?? body[field];
  const only: Value | Uint8Array = Array.isArray(listed) && listed.length === 1 ? listed[0] : undefined;
  if (only instanceof Uint8Array) return decode(only);
  return isDoc(only) ? only : withoutBulk(body);
}

function cursorId(reply: Reply, operation: Operation): Value {
  if (reply instanceof CursorReply && reply.id !== 0n) return long(reply.id);
  return operation.kind === 'getmore' ? operation.body['getMore'] : undefined;
}

function resultCounts({ kind, command }: Operation, reply: Reply): Doc {
  if (reply instanceof CursorReply) return { nreturned: reply.docs.length };
  const count = (field: string): number | undefined => {
    const value = reply[field];
    return isNumeric(value as Value) ? toNumber(value as Value) : undefined;
  };
  switch (kind) {
    case 'insert':
      return { ninserted: count('n') };
    case 'update':
      return updateCounts(count('n'), count('nModified'), reply['upserted'] !== undefined);
    case 'remove':
      return { ndeleted: count('n') };
    default:
      return command.toLowerCase() === 'findandmodify' ? modifyCounts(reply['lastErrorObject']) : {};
  }
}

const updateCounts = (n: number | undefined, nModified: number | undefined, upserted: boolean): Doc => ({
  nMatched: upserted ? 0 : n,
  nModified,
  nUpserted: upserted ? 1 : undefined,
});

function modifyCounts(outcome: unknown): Doc {
  if (!isDoc(outcome)) return {};
  const n = isNumeric(outcome['n']) ? toNumber(outcome['n']) : 0;
  if (outcome['updatedExisting'] === undefined) return { ndeleted: n };
  return updateCounts(n, n, outcome['upserted'] !== undefined);
}
