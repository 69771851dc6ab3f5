import { Binary } from 'bson';
import { createHash } from 'node:crypto';
import { compileFilter } from '../query/matcher.js';
import { int, isDoc, long, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { toBigInt } from './arguments.js';
import { genericFields, type Command } from './command.js';
import type { CommandContext, ConnectionInfo, Host, IdleCursor, LogicalSession, Operation } from './host.js';

/** Longest list in a command that is shown in full. */
const maxShown = 20;

const withoutBulk = (body: Doc): Doc =>
  Object.fromEntries(
    Object.entries(body).filter(([, value]) => !Array.isArray(value) || value.length < maxShown),
  );

const withoutMissing = (doc: Doc): Doc =>
  Object.fromEntries(Object.entries(doc).filter(([, value]) => value !== undefined));

const sessionDoc = (lsid: string): Doc => ({ id: new Binary(Buffer.from(lsid, 'hex'), 4) });

function clientFields({ remoteAddress, client, id }: ConnectionInfo): Doc {
  const application = client?.['application'];
  return {
    desc: `conn${id}`,
    connectionId: int(id),
    client: remoteAddress,
    appName: isDoc(application) ? application['name'] : undefined,
    clientMetadata: client,
  };
}

function transactionDoc(txnNumber: bigint, startedAt: number, now: number): Doc {
  return {
    parameters: { txnNumber: long(txnNumber), autocommit: false },
    startWallClockTime: new Date(startedAt).toISOString(),
    timeOpenMicros: long((now - startedAt) * 1000),
  };
}

function operationDoc(operation: Operation, host: Host): Doc {
  const now = host.now();
  const microseconds = Math.max(0, now - operation.startedAt) * 1000;
  const { op, txnNumber } = operation;
  const session = op.txn && host.sessions.all().find(({ txn }) => txn === op.txn);
  return withoutMissing({
    type: 'op',
    host: host.address,
    ...clientFields(operation.connection),
    active: true,
    currentOpTime: new Date(now).toISOString(),
    opid: int(operation.opid),
    lsid: operation.lsid,
    transaction:
      session && txnNumber !== undefined ? transactionDoc(txnNumber, session.txnStartedAt, now) : undefined,
    secs_running: long(Math.floor(microseconds / 1e6)),
    microsecs_running: long(microseconds),
    op: operation.kind,
    ns: operation.ns,
    command: withoutBulk(operation.body),
    cursor: operation.origin && { originatingCommand: withoutBulk(operation.origin) },
    killPending: operation.signal.killed ? true : undefined,
    numYields: int(0),
    locks: {},
    waitingForLock: op.waiting === true,
    lockStats: {},
    waitingForFlowControl: false,
    flowControlStats: {},
  });
}

function idleSessionDoc(session: LogicalSession, host: Host): Doc {
  const now = host.now();
  return {
    type: 'idleSession',
    host: host.address,
    desc: 'inactive transaction',
    client: '',
    lsid: sessionDoc(session.lsid),
    transaction: transactionDoc(session.txnNumber, session.txnStartedAt, now),
    waitingForLock: false,
    active: false,
    locks: {},
    lockStats: {},
  };
}

function idleCursorDoc({ cursor, openedAt, lastUse }: IdleCursor, host: Host): Doc {
  return withoutMissing({
    type: 'idleCursor',
    host: host.address,
    ns: `${cursor.ns.db}.${cursor.ns.coll}`,
    lsid: cursor.lsid === undefined ? undefined : sessionDoc(cursor.lsid),
    cursor: {
      cursorId: long(cursor.id),
      createdDate: new Date(openedAt),
      lastAccessDate: new Date(lastUse),
      noCursorTimeout: cursor.noTimeout,
      tailable: cursor.origin['tailable'] === true,
      awaitData: cursor.origin['awaitData'] === true,
      originatingCommand: withoutBulk(cursor.origin),
    },
  });
}

interface Shown {
  idleSessions: boolean;
  idleCursors: boolean;
}

function inProgress(host: Host, { idleSessions, idleCursors }: Shown): Doc[] {
  const running = host.operations.all();
  const docs = running.map((operation) => operationDoc(operation, host));
  if (idleSessions) {
    for (const session of host.sessions.all()) {
      const busy = running.some(({ op }) => op.txn !== undefined && op.txn === session.txn);
      if (session.txn && !busy) docs.push(idleSessionDoc(session, host));
    }
  }
  if (idleCursors) docs.push(...host.cursors.idle().map((idle) => idleCursorDoc(idle, host)));
  return docs;
}

const currentOp: Command = {
  name: 'currentOp',
  adminOnly: true,
  counter: 'command',
  run(ctx) {
    const filter = Object.entries(ctx.body).filter(
      ([field]) =>
        field !== 'currentOp' && field !== '$all' && field !== '$ownOps' && !genericFields.has(field),
    );
    const matcher = compileFilter(Object.fromEntries(filter));
    const docs = inProgress(ctx.host, { idleSessions: true, idleCursors: ctx.body['$all'] === true });
    return { inprog: docs.filter((doc) => matcher.matches(doc)) };
  },
};

const killOp: Command = {
  name: 'killOp',
  fields: ['killOp', 'op'],
  adminOnly: true,
  counter: 'command',
  run(ctx) {
    const opid = toBigInt(ctx.body['op']);
    if (opid === undefined) throw new ServerError('TypeMismatch', 'Expected field "op" to be a number');
    ctx.host.operations.kill(Number(opid));
    return { info: 'attempting to kill op' };
  },
};

export const operationCommands: readonly Command[] = [currentOp, killOp];

/** The user digest without authentication: that of the empty string. */
const anonymousUser = createHash('sha256').digest();

const listedSession = ({ lsid, lastUse }: LogicalSession): Doc => ({
  _id: { ...sessionDoc(lsid), uid: new Binary(anonymousUser, 0) },
  lastUse: new Date(lastUse),
});

const specOf = (stage: string, spec: Value): Doc => {
  if (isDoc(spec)) return spec;
  throw new ServerError('FailedToParse', `${stage} options must be specified in an object`);
};

/**
 * First stages of a pipeline that read server state. Each receives its specification and returns documents.
 */
export function serverSources(ctx: CommandContext): Readonly<Record<string, (spec: Value) => Doc[]>> {
  const { host } = ctx;
  const collectionless = (stage: string): void => {
    if (typeof ctx.body['aggregate'] !== 'string') return;
    throw new ServerError('InvalidNamespace', `${stage} must be run against a database with {aggregate: 1}`);
  };
  return {
    $currentOp(spec) {
      if (ctx.db !== 'admin' || typeof ctx.body['aggregate'] === 'string') {
        throw new ServerError(
          'InvalidNamespace',
          "$currentOp must be run against the 'admin' database with {aggregate: 1}",
        );
      }
      const { idleSessions, idleCursors } = specOf('$currentOp', spec);
      return inProgress(host, { idleSessions: idleSessions !== false, idleCursors: idleCursors === true });
    },
    $listLocalSessions(spec) {
      collectionless('$listLocalSessions');
      specOf('$listLocalSessions', spec);
      return host.sessions.all().map(listedSession);
    },
  };
}
