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

/** The collection that a command operates on; empty if there is none. */
function collectionOf({ commandName, command }: Command): string {
  const target: unknown = command[commandName === 'getMore' ? 'collection' : commandName];
  return typeof target === 'string' ? target : '';
}

/** The database commands of one message. */
export class MessageCounts {
  reads = 0;
  writes = 0;
  /** Transactions started; each retry counts as one more. */
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

/** The messages of one kind, for example those with a warm session. */
export class MessageGroup {
  messages = 0;
  reads = 0;
  writes = 0;
  commits = 0;
  /** The highest number of transactions that one message started. */
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

  /** The average per message of the group. */
  each(total: number): number {
    return this.messages === 0 ? Number.NaN : total / this.messages;
  }
}
