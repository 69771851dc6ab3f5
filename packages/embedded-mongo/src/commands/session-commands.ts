import { Binary } from 'bson';
import { randomUUID } from 'node:crypto';
import { isDoc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args } from './arguments.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';

/** The hex id of an lsid document `{ id: UUID }`. */
export function sessionKey(lsid: Value): string {
  const id = isDoc(lsid) ? lsid['id'] : undefined;
  if (!(id instanceof Binary) || id.sub_type !== 4 || id.length() !== 16) {
    throw new ServerError('TypeMismatch', "BSON field 'lsid.id' must be a UUID");
  }
  return Buffer.from(id.value()).toString('hex');
}

const sessionKeys = (ctx: CommandContext): string[] =>
  new Args(ctx.name, ctx.body)
    .required(ctx.name, new Args(ctx.name, ctx.body).documents(ctx.name))
    .map(sessionKey);

const startSession: Command = {
  name: 'startSession',
  counter: 'command',
  run(ctx) {
    const uuid = Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
    ctx.host.sessions.touch(uuid.toString('hex'));
    return { id: { id: new Binary(uuid, 4) }, timeoutMinutes: 30 };
  },
};

const endSessions: Command = {
  name: 'endSessions',
  counter: 'command',
  run(ctx) {
    for (const key of sessionKeys(ctx)) ctx.host.sessions.end(key);
    return {};
  },
};

const refreshSessions: Command = {
  name: 'refreshSessions',
  counter: 'command',
  run(ctx) {
    for (const key of sessionKeys(ctx)) ctx.host.sessions.touch(key);
    return {};
  },
};

const killSessions: Command = {
  name: 'killSessions',
  counter: 'command',
  run(ctx) {
    const keys = sessionKeys(ctx);
    const all = keys.length > 0 ? keys : ctx.host.sessions.all().map(({ lsid }) => lsid);
    for (const key of all) ctx.host.sessions.kill(key);
    return {};
  },
};

const killAllSessions: Command = {
  name: 'killAllSessions',
  aliases: ['killAllSessionsByPattern'],
  counter: 'command',
  run(ctx) {
    for (const { lsid } of ctx.host.sessions.all()) ctx.host.sessions.kill(lsid);
    return {};
  },
};

export const sessionCommands: readonly Command[] = [
  startSession,
  endSessions,
  refreshSessions,
  killSessions,
  killAllSessions,
];
