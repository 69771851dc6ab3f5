import os from 'node:os';
import { ServerError } from '../values/errors.js';
import { Args } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import { serverVersion } from './handshake.js';
import type { CommandContext } from './host.js';

const simple = (
  name: string,
  reply: (ctx: CommandContext) => ReplyDoc,
  more: Partial<Command> = {},
): Command => ({
  name,
  counter: 'command',
  ...more,
  run: reply,
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
    memLimitMB: BigInt(Math.floor(os.totalmem() / 1048576)),
    numCores: os.cpus().length,
    cpuArch: os.arch(),
    numaEnabled: false,
  },
  os: { type: os.type(), name: os.platform(), version: os.release() },
  extra: {},
});

/** The server keeps no log. Messages are passed to the host program. */
function getLog(ctx: CommandContext): ReplyDoc {
  const name = new Args('getLog', ctx.body).string('getLog');
  if (name === '*') return { names: ['global', 'startupWarnings'] };
  if (name === 'global' || name === 'startupWarnings') return { totalLinesWritten: 0, log: [] };
  throw new ServerError('OperationFailed', `No log named '${String(name)}'`);
}

/** Every acknowledged write is on disk, so there is nothing to flush. Locking is not supported. */
function fsync(ctx: CommandContext): ReplyDoc {
  if (new Args('fsync', ctx.body).boolean('lock')) {
    throw new ServerError('CommandNotSupported', 'fsync with lock is not supported by this server');
  }
  return { numFiles: 1 };
}

function fsyncUnlock(): ReplyDoc {
  throw new ServerError('IllegalOperation', 'fsyncUnlock called when not locked');
}

const admin = { adminOnly: true };

export const diagnosticCommands: readonly Command[] = [
  simple('ping', () => ({})),
  simple('buildInfo', buildInfo, { aliases: ['buildinfo'] }),
  simple('hostInfo', hostInfo),
  simple('features', () => ({})),
  simple('connectionStatus', () => ({
    authInfo: { authenticatedUsers: [], authenticatedUserRoles: [], authenticatedUserPrivileges: [] },
  })),
  simple('whatsmyuri', (ctx) => ({ you: ctx.connection.remoteAddress })),
  simple('getCmdLineOpts', () => ({ argv: ['embedded-mongo'], parsed: {} }), admin),
  simple('getLog', getLog, admin),
  simple('logRotate', () => ({}), admin),
  simple('fsync', fsync, admin),
  simple('fsyncUnlock', fsyncUnlock, admin),
];
