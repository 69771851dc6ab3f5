import { checkDatabaseName } from './arguments.js';
import type { Command } from './command.js';

/** Commands that list or drop users. There are no users. */
export const userCommands: readonly Command[] = [
  {
    name: 'usersInfo',
    fields: [
      'usersInfo',
      'filter',
      'showAuthenticationRestrictions',
      'showCredentials',
      'showCustomData',
      'showPrivileges',
    ],
    counter: 'command',
    run: () => ({ users: [] }),
  },
  {
    name: 'dropAllUsersFromDatabase',
    fields: ['dropAllUsersFromDatabase'],
    writes: true,
    counter: 'command',
    run(ctx) {
      checkDatabaseName(ctx.db);
      return { n: 0 };
    },
  },
];
