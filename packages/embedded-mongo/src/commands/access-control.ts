import { isNumeric, toNumber } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';

const refused = (name: string): Command => ({
  name,
  counter: 'command',
  run() {
    throw new ServerError(
      'CommandNotSupported',
      `${name} is not supported: this server has no access control, users or roles`,
    );
  },
});

const builtinRoles = ['read', 'readWrite', 'dbAdmin', 'userAdmin', 'dbOwner'] as const;

/** Lists built-in roles if requested. There are no others. */
const rolesInfo: Command = {
  name: 'rolesInfo',
  counter: 'command',
  run(ctx): ReplyDoc {
    const all = isNumeric(ctx.body['rolesInfo']) && toNumber(ctx.body['rolesInfo']) === 1;
    if (!all || !new Args('rolesInfo', ctx.body).boolean('showBuiltinRoles')) return { roles: [] };
    return {
      roles: builtinRoles.map((role) => ({
        role,
        db: ctx.db,
        isBuiltin: true,
        roles: [],
        inheritedRoles: [],
      })),
    };
  },
};

const noMechanism = (name: string): Command => ({
  name,
  counter: 'command',
  run() {
    throw new ServerError(18, 'Authentication failed.', { codeName: 'AuthenticationFailed' });
  },
});

/**
 * Commands that create or change users and roles. They are rejected, because the server has no access
 * control.
 */
export const accessControlCommands: readonly Command[] = [
  rolesInfo,
  { name: 'dropAllRolesFromDatabase', counter: 'command', writes: true, run: () => ({ n: 0 }) },
  ...['createUser', 'updateUser', 'dropUser', 'grantRolesToUser', 'revokeRolesFromUser'].map(refused),
  ...['createRole', 'updateRole', 'dropRole'].map(refused),
  ...['saslStart', 'saslContinue', 'authenticate'].map(noMechanism),
  { name: 'logout', counter: 'command', run: () => ({}) },
];
