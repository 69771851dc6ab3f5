import { aggregateCommands } from './aggregate-command.js';
import { bulkWriteCommands } from './bulk-write.js';
import { catalogCommands } from './catalog.js';
import type { Command } from './command.js';
import { countCommands } from './count.js';
import { cursorCommands } from './cursor-commands.js';
import { deleteCommands } from './delete.js';
import { diagnosticCommands } from './diagnostics.js';
import { distinctCommands } from './distinct.js';
import { explainCommands } from './explain.js';
import { fileMd5Commands } from './file-md5.js';
import { findAndModifyCommands } from './find-and-modify.js';
import { findCommands } from './find.js';
import { handshakeCommands } from './handshake.js';
import { indexCommands } from './indexes.js';
import { insertCommands } from './insert.js';
import { mapReduceCommands } from './map-reduce.js';
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
  ...mapReduceCommands,
  ...bulkWriteCommands,
  ...explainCommands,
  ...fileMd5Commands,
  ...sessionCommands,
  ...transactionCommands,
  ...userCommands,
];

const byName = new Map<string, Command>();
for (const command of all)
  for (const name of [command.name, ...(command.aliases ?? [])]) byName.set(name, command);

export const findCommand = (name: string): Command | undefined => byName.get(name);

/** Names of all commands, aliases left out. */
export const commandNames: readonly string[] = all.map(({ name }) => name);
