import type { CommandListener } from '../../../src/database/index.js';

type Command = Parameters<CommandListener>[0];

const readCommands: ReadonlySet<string> = new Set(['find', 'aggregate', 'getMore', 'count', 'distinct']);
const writeCommands: ReadonlySet<string> = new Set([
  'insert',
  'update',
  'delete',
  'findAndModify',
  'bulkWrite',
]);

/** The collection that a command works on; empty for one that works on none. */
function collectionOf({ commandName, command }: Command): string {
  const target: unknown = command[commandName === 'getMore' ? 'collection' : commandName];
  return typeof target === 'string' ? target : '';
}

/** The commands that one message sent to the database. */
export class MessageCounts {
  reads = 0;
  writes = 0;
  /** Transactions that were begun; one that was tried again counts each time. */
  transactions = 0;
  commits = 0;
  readonly readsByCollection = new Map<string, number>();

  add(event: Command): void {
    const { commandName, command } = event;
    if (command['startTransaction'] === true) this.transactions++;
    if (commandName === 'commitTransaction') this.commits++;
    if (writeCommands.has(commandName)) this.writes++;
    if (!readCommands.has(commandName)) return;
    this.reads++;
    const collection = collectionOf(event);
    this.readsByCollection.set(collection, (this.readsByCollection.get(collection) ?? 0) + 1);
  }
}

/** The messages of one kind, for example the warm ones. */
export class MessageGroup {
  messages = 0;
  reads = 0;
  writes = 0;
  commits = 0;
  /** Most transactions that one message began. */
  mostTransactions = 0;
  readonly readsByCollection = new Map<string, number>();

  constructor(readonly name: string) {}

  add(counts: MessageCounts): void {
    this.messages++;
    this.reads += counts.reads;
    this.writes += counts.writes;
    this.commits += counts.commits;
    this.mostTransactions = Math.max(this.mostTransactions, counts.transactions);
    for (const [collection, reads] of counts.readsByCollection)
      this.readsByCollection.set(collection, this.readsOf(collection) + reads);
  }

  readsOf(...collections: readonly string[]): number {
    return collections.reduce((sum, collection) => sum + (this.readsByCollection.get(collection) ?? 0), 0);
  }

  /** Of all messages of the group, for one of them. */
  each(total: number): number {
    return this.messages === 0 ? Number.NaN : total / this.messages;
  }
}
