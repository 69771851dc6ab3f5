import { accessControlCommands } from './access-control.js';
import { aggregateCommands } from './aggregate-command.js';
import { bulkWriteCommands } from './bulk-write.js';
import { catalogCommands } from './catalog.js';
import type { ReplyDoc } from './bson-writer.js';
import { ServerError, unsupported } from '../values/errors.js';
import type { Command } from './command.js';
import { countCommands } from './count.js';
import { cursorCommands } from './cursor-commands.js';
import { deleteCommands } from './delete.js';
import { diagnosticCommands } from './diagnostics.js';
import { distinctCommands } from './distinct.js';
import { explainCommands } from './explain.js';
import { failPointCommands } from './fail-point.js';
import { fileMd5Commands } from './file-md5.js';
import { findAndModifyCommands } from './find-and-modify.js';
import { findCommands } from './find.js';
import { handshakeCommands } from './handshake.js';
import { indexCommands } from './indexes.js';
import { insertCommands } from './insert.js';
import { maintenanceCommands } from './maintenance.js';
import { operationCommands } from './operations.js';
import { parameterCommands } from './parameters.js';
import { profileCommands } from './profile.js';
import { replicaSetCommands } from './replica-set.js';
import { serverStatusCommands } from './server-status.js';
import { sessionCommands } from './session-commands.js';
import { statisticsCommands } from './statistics.js';
import { transactionCommands } from './transaction-commands.js';
import { updateCommands } from './update.js';
import { userCommands } from './users.js';

const all: readonly Command[] = [
  ...handshakeCommands,
  ...diagnosticCommands,
  ...statisticsCommands,
  ...catalogCommands,
  ...indexCommands,
  ...insertCommands,
  ...findCommands,
  ...cursorCommands,
  ...updateCommands,
  ...deleteCommands,
  ...findAndModifyCommands,
  ...countCommands,
  ...distinctCommands,
  ...aggregateCommands,
  ...bulkWriteCommands,
  ...explainCommands,
  ...fileMd5Commands,
  ...sessionCommands,
  ...transactionCommands,
  ...userCommands,
  ...accessControlCommands,
  ...failPointCommands,
  ...maintenanceCommands,
  ...operationCommands,
  ...parameterCommands,
  ...profileCommands,
  ...replicaSetCommands,
  ...serverStatusCommands,
  { name: 'listCommands', counter: 'command', run: () => ({ commands: described() }) },
];

const described = (): ReplyDoc =>
  Object.fromEntries(
    [...all]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, adminOnly }) => [
        name,
        { help: '', requiresAuth: false, secondaryOk: true, adminOnly: adminOnly ?? false },
      ]),
  );

const byName = new Map<string, Command>();
for (const command of all)
  for (const name of [command.name, ...(command.aliases ?? [])]) byName.set(name, command);

/** MongoDB commands that this store does not support. All other unlisted names are unknown commands. */
const refused: ReadonlySet<string> = new Set(['mapReduce', 'mapreduce']);

/** Finds a command. Throws CommandNotSupported (115) or CommandNotFound (59) if there is none. */
export const findCommand = (name: string): Command => {
  const command = byName.get(name);
  if (command) return command;
  throw refused.has(name)
    ? unsupported(name)
    : new ServerError('CommandNotFound', `no such command: '${name}'`);
};
