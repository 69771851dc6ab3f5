import { Timestamp } from 'bson';
import { ServerError } from '../values/errors.js';
import { Args } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import { replicaSetName } from './handshake.js';
import type { CommandContext, Host } from './host.js';

const admin = (
  name: string,
  run: (ctx: CommandContext) => ReplyDoc,
  aliases?: readonly string[],
): Command => ({
  name,
  ...(aliases && { aliases }),
  adminOnly: true,
  counter: 'command',
  run,
});

function optime(host: Host): ReplyDoc {
  return { ts: new Timestamp({ t: Math.floor(host.now() / 1000), i: 1 }), t: 1n };
}

function status({ host }: CommandContext): ReplyDoc {
  const date = new Date(host.now());
  const time = optime(host);
  return {
    set: replicaSetName,
    date,
    myState: 1,
    term: 1n,
    heartbeatIntervalMillis: 2000n,
    majorityVoteCount: 1,
    writeMajorityCount: 1,
    votingMembersCount: 1,
    writableVotingMembersCount: 1,
    optimes: {
      lastCommittedOpTime: time,
      lastCommittedWallTime: date,
      readConcernMajorityOpTime: time,
      appliedOpTime: time,
      durableOpTime: time,
    },
    members: [
      {
        _id: 0,
        name: host.address,
        health: 1,
        state: 1,
        stateStr: 'PRIMARY',
        uptime: Math.floor((host.now() - host.startedAt) / 1000),
        optime: time,
        optimeDate: date,
        electionDate: new Date(host.startedAt),
        configVersion: 1,
        configTerm: 1,
        self: true,
      },
    ],
  };
}

function config({ host }: CommandContext): ReplyDoc {
  return {
    config: {
      _id: replicaSetName,
      version: 1,
      term: 1,
      members: [
        {
          _id: 0,
          host: host.address,
          arbiterOnly: false,
          buildIndexes: true,
          hidden: false,
          priority: 1,
          tags: {},
          secondaryDelaySecs: 0n,
          votes: 1,
        },
      ],
      protocolVersion: 1n,
      writeConcernMajorityJournalDefault: true,
      settings: { chainingAllowed: true, heartbeatIntervalMillis: 2000, electionTimeoutMillis: 10_000 },
    },
  };
}

/** The only member cannot hand over its role. If forced, it steps down and is immediately elected again. */
function stepDown(ctx: CommandContext): ReplyDoc {
  if (new Args('replSetStepDown', ctx.body).boolean('force')) return {};
  throw new ServerError(
    262,
    'No electable secondaries caught up as of now. Please use the replSetStepDown command with the argument {force: true} to force node to step down.',
    { codeName: 'ExceededTimeLimit' },
  );
}

function defaultConcerns({ host }: CommandContext): ReplyDoc {
  return {
    defaultReadConcern: { level: 'local' },
    defaultWriteConcern: { w: 'majority', wtimeout: 0 },
    updateOpTime: new Timestamp({ t: 0, i: 0 }),
    updateWallClockTime: new Date(host.startedAt),
    defaultWriteConcernSource: 'implicit',
    defaultReadConcernSource: 'implicit',
    localUpdateWallClockTime: new Date(host.startedAt),
  };
}

export const replicaSetCommands: readonly Command[] = [
  admin('replSetGetStatus', status),
  admin('replSetGetConfig', config),
  admin('replSetStepDown', stepDown),
  admin('replSetFreeze', () => ({})),
  admin('getDefaultRWConcern', defaultConcerns),
];
