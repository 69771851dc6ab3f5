import { ObjectId } from 'bson';
import { isDoc, long, type Doc } from '../values/bson.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import type { CommandContext, Host } from './host.js';

export const replicaSetName = 'embedded';
export const serverVersion = '8.0.0';

/** The process id changes on every start. The counter never does, because the server's role never changes. */
const processId = new ObjectId();
const electionId = new ObjectId('7fffffff0000000000000001');

export const topologyVersion = (): Doc => ({ processId, counter: long(0) });

/** Describes a replica set whose only member is the primary. */
export function describeServer(host: Host, connectionId: number): ReplyDoc {
  return {
    helloOk: true,
    topologyVersion: topologyVersion(),
    hosts: [host.address],
    setName: replicaSetName,
    setVersion: 1,
    secondary: false,
    primary: host.address,
    me: host.address,
    electionId,
    maxBsonObjectSize: 16 * 1024 * 1024,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    localTime: new Date(host.now()),
    logicalSessionTimeoutMinutes: 30,
    connectionId,
    minWireVersion: 0,
    maxWireVersion: 25,
    readOnly: false,
  };
}

function helloReply(ctx: CommandContext, primaryField: 'isWritablePrimary' | 'ismaster'): ReplyDoc {
  const { client } = ctx.body;
  if (isDoc(client) && !ctx.connection.client) ctx.connection.client = client;
  return { [primaryField]: true, ...describeServer(ctx.host, ctx.connection.id) };
}

const hello: Command = {
  name: 'hello',
  counter: 'command',
  run: (ctx) => helloReply(ctx, 'isWritablePrimary'),
};

const isMaster: Command = {
  name: 'isMaster',
  aliases: ['ismaster'],
  counter: 'command',
  run: (ctx) => helloReply(ctx, 'ismaster'),
};

export const handshakeCommands: readonly Command[] = [hello, isMaster];
