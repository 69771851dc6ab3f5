import os from 'node:os';
import { isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, toBigInt } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import { replicaSetName, serverVersion } from './handshake.js';
import type { CommandContext, Operation } from './host.js';

const simple = (
  name: string,
  answer: (ctx: CommandContext) => ReplyDoc,
  more: Partial<Command> = {},
): Command => ({
  name,
  counter: 'command',
  ...more,
  run: answer,
});

const buildInfo = (): ReplyDoc => ({
  version: serverVersion,
  gitVersion: 'embedded-mongo',
  modules: ['embedded-mongo'],
  allocator: 'system',
  javascriptEngine: 'none',
  sysInfo: 'deprecated',
  versionArray: serverVersion.split('.').map(Number).concat(0),
  bits: 64,
  debug: false,
  maxBsonObjectSize: 16 * 1024 * 1024,
  storageEngines: ['lmdb'],
});

const hostInfo = (ctx: CommandContext): ReplyDoc => ({
  system: {
    currentTime: new Date(ctx.host.now()),
    hostname: os.hostname(),
    cpuAddrSize: 64,
    memSizeMB: BigInt(Math.floor(os.totalmem() / 1048576)),
    numCores: os.cpus().length,
    cpuArch: os.arch(),
    numaEnabled: false,
  },
  os: { type: os.type(), name: os.platform(), version: os.release() },
  extra: {},
});

function serverStatus(ctx: CommandContext): ReplyDoc {
  const { host } = ctx;
  const { connections, opcounters, network, transactions } = host.metrics;
  const uptimeMs = host.now() - host.startedAt;
  const memory = process.memoryUsage();
  const mebibytes = (bytes: number): number => Math.round(bytes / 1048576);
  return {
    host: host.address,
    version: serverVersion,
    process: 'embedded-mongo',
    pid: BigInt(process.pid),
    uptime: uptimeMs / 1000,
    uptimeMillis: BigInt(uptimeMs),
    localTime: new Date(host.now()),
    connections: { ...connections, available: 65_536 - connections.current },
    opcounters: Object.fromEntries(Object.entries(opcounters).map(([name, count]) => [name, BigInt(count)])),
    network: {
      bytesIn: BigInt(network.bytesIn),
      bytesOut: BigInt(network.bytesOut),
      numRequests: BigInt(network.numRequests),
    },
    mem: {
      bits: 64,
      resident: mebibytes(memory.rss),
      virtual: mebibytes(memory.rss + memory.external),
      supported: true,
    },
    metrics: { cursor: { timedOut: host.cursors.timedOutCount, open: { total: host.cursors.openCount } } },
    transactions: {
      currentOpen: transactions.open,
      totalStarted: BigInt(transactions.started),
      totalCommitted: BigInt(transactions.committed),
      totalAborted: BigInt(transactions.aborted),
    },
    logicalSessionRecordCache: { activeSessionsCount: host.sessions.all().length },
    repl: {
      setName: replicaSetName,
      isWritablePrimary: true,
      secondary: false,
      hosts: [host.address],
      me: host.address,
    },
    storageEngine: { name: 'lmdb', persistent: true, supportsCommittedReads: true },
  };
}

function operationDoc(operation: Operation, now: number): ReplyDoc {
  const microseconds = Math.max(0, now - operation.startedAt) * 1000;
  return {
    type: 'op',
    host: 'embedded',
    desc: `conn${operation.connection.id}`,
    connectionId: operation.connection.id,
    client: operation.connection.remoteAddress,
    active: true,
    currentOpTime: new Date(now).toISOString(),
    opid: operation.opid,
    lsid: operation.lsid,
    secs_running: BigInt(Math.floor(microseconds / 1e6)),
    microsecs_running: BigInt(microseconds),
    op: 'command',
    ns: operation.ns,
    command: withoutBulk(operation.body),
    killPending: operation.signal.killed,
  };
}

const withoutBulk = (body: Doc): Doc =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => !Array.isArray(value) || value.length < 20));

const currentOp = simple(
  'currentOp',
  (ctx) => ({
    inprog: ctx.host.operations.all().map((operation) => operationDoc(operation, ctx.host.now())),
  }),
  { adminOnly: true },
);

const killOp = simple(
  'killOp',
  (ctx) => {
    const opid = toBigInt(ctx.body['op']);
    if (opid === undefined) throw new ServerError('TypeMismatch', 'Expected field "op" to be a number');
    ctx.host.operations.kill(Number(opid));
    return { info: 'attempting to kill op' };
  },
  { adminOnly: true },
);

const parameters: Readonly<Record<string, ReplyDoc[string]>> = {
  featureCompatibilityVersion: { version: '8.0' },
  transactionLifetimeLimitSeconds: 60,
  cursorTimeoutMillis: 600_000n,
  localLogicalSessionTimeoutMinutes: 30,
  enableTestCommands: true,
};

const getParameter = simple(
  'getParameter',
  (ctx) => {
    const wanted = ctx.body['getParameter'];
    const names =
      wanted === '*' || (isDoc(wanted) && wanted['allParameters'] === true)
        ? Object.keys(parameters)
        : Object.keys(parameters).filter((name) => name in ctx.body);
    if (names.length === 0) throw new ServerError('InvalidOptions', 'no option found to get');
    return Object.fromEntries(names.map((name) => [name, parameters[name]]));
  },
  { adminOnly: true },
);

const getLog = simple(
  'getLog',
  (ctx) =>
    ctx.body['getLog'] === '*' ? { names: ['global', 'startupWarnings'] } : { totalLinesWritten: 0, log: [] },
  { adminOnly: true },
);

const configureFailPoint = simple(
  'configureFailPoint',
  (ctx) => {
    const args = new Args('configureFailPoint', ctx.body);
    const name = args.required('configureFailPoint', args.string('configureFailPoint'));
    ctx.host.failPoints.configure(name, ctx.body['mode'], args.document('data') ?? {});
    return {};
  },
  { adminOnly: true },
);

export const diagnosticCommands: readonly Command[] = [
  simple('ping', () => ({})),
  simple('buildInfo', buildInfo, { aliases: ['buildinfo'] }),
  simple('hostInfo', hostInfo),
  simple('serverStatus', serverStatus),
  simple('connectionStatus', () => ({
    authInfo: { authenticatedUsers: [], authenticatedUserRoles: [], authenticatedUserPrivileges: [] },
  })),
  simple('whatsmyuri', (ctx) => ({ you: ctx.connection.remoteAddress })),
  simple('getCmdLineOpts', () => ({ argv: ['embedded-mongo'], parsed: {} }), { adminOnly: true }),
  simple(
    'replSetGetStatus',
    (ctx) => ({
      set: replicaSetName,
      date: new Date(ctx.host.now()),
      myState: 1,
      members: [{ _id: 0, name: ctx.host.address, health: 1, state: 1, stateStr: 'PRIMARY', self: true }],
    }),
    { adminOnly: true },
  ),
  getParameter,
  getLog,
  currentOp,
  killOp,
  configureFailPoint,
];
