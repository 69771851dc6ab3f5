import { double } from '../values/bson.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import { replicaSetName, serverVersion } from './handshake.js';
import type { CommandContext, Host } from './host.js';

const maxConnections = 65_536;
const mebibytes = (bytes: number): number => Math.round(bytes / 1048576);

const counts = (numbers: Readonly<Record<string, number>>): ReplyDoc =>
  Object.fromEntries(Object.entries(numbers).map(([name, count]) => [name, BigInt(count)]));

function memory(): ReplyDoc {
  const { rss, external } = process.memoryUsage();
  return { bits: 64, resident: mebibytes(rss), virtual: mebibytes(rss + external), supported: true };
}

function metrics(host: Host): ReplyDoc {
  const { expired } = host.engine;
  const { cursors } = host;
  const noTimeout = cursors.idle().filter(({ cursor }) => cursor.noTimeout).length;
  return {
    cursor: {
      timedOut: BigInt(cursors.timedOutCount),
      open: { noTimeout: BigInt(noTimeout), pinned: 0n, total: BigInt(cursors.openCount) },
    },
    document: counts(host.metrics.documents),
    ttl: { deletedDocuments: BigInt(expired.documents), passes: BigInt(expired.passes) },
  };
}

function transactions(host: Host): ReplyDoc {
  const { started, committed, aborted, open } = host.metrics.transactions;
  const active = host.operations.all().filter(({ op }) => op.txn !== undefined).length;
  return {
    retriedCommandsCount: 0n,
    currentActive: BigInt(active),
    currentInactive: BigInt(Math.max(0, open - active)),
    currentOpen: BigInt(open),
    totalStarted: BigInt(started),
    totalCommitted: BigInt(committed),
    totalAborted: BigInt(aborted),
  };
}

function replication({ address }: Host): ReplyDoc {
  return {
    setName: replicaSetName,
    setVersion: 1,
    isWritablePrimary: true,
    secondary: false,
    hosts: [address],
    primary: address,
    me: address,
  };
}

function serverStatus({ host, body }: CommandContext): ReplyDoc {
  const { connections, opcounters, network } = host.metrics;
  const uptimeMs = host.now() - host.startedAt;
  const sections: ReplyDoc = {
    asserts: counts({ regular: 0, warning: 0, msg: 0, user: 0, rollovers: 0 }),
    connections: { ...connections, available: maxConnections - connections.current },
    globalLock: {
      totalTime: BigInt(Math.round(uptimeMs * 1000)),
      currentQueue: { total: 0, readers: 0, writers: 0 },
      activeClients: { total: connections.active, readers: 0, writers: 0 },
    },
    logicalSessionRecordCache: { activeSessionsCount: host.sessions.all().length },
    mem: memory(),
    metrics: metrics(host),
    network: counts(network),
    opcounters: counts(opcounters),
    repl: replication(host),
    storageEngine: { name: 'lmdb', supportsCommittedReads: true, persistent: true, backupCursorOpen: false },
    transactions: transactions(host),
  };
  const wanted = Object.entries(sections).filter(
    ([name]) => body[name] === undefined || isWanted(body[name]),
  );
  return {
    host: host.address,
    version: serverVersion,
    process: 'mongod',
    service: [],
    pid: BigInt(process.pid),
    uptime: double(uptimeMs / 1000),
    uptimeMillis: BigInt(Math.round(uptimeMs)),
    uptimeEstimate: BigInt(Math.round(uptimeMs / 1000)),
    localTime: new Date(host.now()),
    ...Object.fromEntries(wanted),
  };
}

/** A section is omitted if the command contains `section: 0`. */
const isWanted = (value: unknown): boolean => value !== false && Number(value) !== 0;

export const serverStatusCommands: readonly Command[] = [
  { name: 'serverStatus', counter: 'command', run: serverStatus },
];
