import type { Collection, Document, MongoClient, ObjectId } from 'mongodb';

/** One kind of work. `prepare` creates its data and returns a function that each client calls repeatedly. */
export interface Scenario {
  name: string;
  /** Numbers of concurrent clients; there is one run for each. */
  clients: readonly number[];
  /** Number of units per call: the documents of an insertMany, otherwise 1. */
  unitsPerCall: number;
  /** Goals in units per second, by number of clients, for the store on a quiet machine with 2 cores. */
  marks?: Readonly<Record<number, number>>;
  prepare(database: BenchDatabase): Promise<(client: number) => Promise<unknown>>;
}

/** A database for this run, which is dropped when the run ends. */
export class BenchDatabase {
  private readonly filled = new Map<string, Promise<ObjectId[]>>();

  constructor(
    readonly client: MongoClient,
    readonly name: string,
  ) {}

  collection(name: string): Collection {
    return this.client.db(this.name).collection(name);
  }

  /** Creates, once, a collection that several scenarios read: 20,000 messages of 100 conversations. */
  messages(): Promise<ObjectId[]> {
    let ids = this.filled.get('messages');
    if (!ids) this.filled.set('messages', (ids = this.fillMessages()));
    return ids;
  }

  private async fillMessages(): Promise<ObjectId[]> {
    const collection = this.collection('messages');
    await collection.createIndex({ tenantId: 1, conversationId: 1, seq: 1 }, { unique: true });
    const ids: ObjectId[] = [];
    for (let batch = 0; batch < 20; batch++) {
      const { insertedIds } = await collection.insertMany(
        Array.from({ length: 1_000 }, (_, i) => message(batch * 1_000 + i)),
      );
      ids.push(...Object.values(insertedIds));
    }
    return ids;
  }
}

const text =
  'I would like to book a table for two at an Italian restaurant in San Jose for tomorrow evening.';

/** A document of about 300 bytes that resembles a stored message. */
const message = (n: number): Document => ({
  tenantId: 'tenant-1',
  conversationId: `conversation-${n % 100}`,
  seq: Math.floor(n / 100),
  role: n % 2 === 0 ? 'participant' : 'agent',
  text,
  timestamp: new Date(1_750_000_000_000 + n),
  metadata: { channel: 'web', language: 'en' },
});

const fiveConversations = Array.from({ length: 5 }, (_, i) => `conversation-${i}`);

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

interface Counter {
  _id: number;
  n: number;
}

const counters = async (database: BenchDatabase, name: string): Promise<Collection<Counter>> => {
  const collection = database.client.db(database.name).collection<Counter>(name);
  await collection.deleteMany({});
  await collection.insertMany(Array.from({ length: 1_000 }, (_, i) => ({ _id: i, n: 0 })));
  return collection;
};

export const scenarios: readonly Scenario[] = [
  {
    name: 'insertOne',
    clients: [1, 50, 100],
    unitsPerCall: 1,
    marks: { 100: 12_000 },
    prepare(database) {
      const collection = database.collection('inserts');
      let n = 0;
      return Promise.resolve(() => collection.insertOne(message(n++)));
    },
  },
  {
    name: 'insertMany(1000), documents',
    clients: [1, 50],
    unitsPerCall: 1_000,
    marks: { 1: 45_000, 50: 45_000 },
    prepare(database) {
      const collection = database.collection('batches');
      return Promise.resolve(() =>
        collection.insertMany(Array.from({ length: 1_000 }, (_, i) => message(i))),
      );
    },
  },
  {
    name: 'findOne by _id',
    clients: [1, 50],
    unitsPerCall: 1,
    marks: { 50: 15_000 },
    async prepare(database) {
      const ids = await database.messages();
      const collection = database.collection('messages');
      return () => collection.findOne({ _id: pick(ids) });
    },
  },
  {
    name: 'page of 50 by index',
    clients: [1, 50],
    unitsPerCall: 1,
    async prepare(database) {
      await database.messages();
      const collection = database.collection('messages');
      return (client) =>
        collection
          .find({ tenantId: 'tenant-1', conversationId: `conversation-${client % 100}`, seq: { $gt: 100 } })
          .sort({ seq: 1 })
          .limit(50)
          .toArray();
    },
  },
  {
    name: 'updateOne $inc',
    clients: [1, 50],
    unitsPerCall: 1,
    marks: { 50: 10_000 },
    async prepare(database) {
      const collection = await counters(database, 'counters');
      return () => collection.updateOne({ _id: Math.floor(Math.random() * 1_000) }, { $inc: { n: 1 } });
    },
  },
  {
    name: 'transaction of two writes',
    clients: [1, 20, 50],
    unitsPerCall: 1,
    marks: { 20: 5_000 },
    async prepare(database) {
      const balances = await counters(database, 'balances');
      const entries = database.collection('entries');
      await entries.insertOne({ first: true });
      return (client) =>
        database.client.withSession((session) =>
          session.withTransaction(async () => {
            await entries.insertOne({ client }, { session });
            await balances.updateOne({ _id: client }, { $inc: { n: 1 } }, { session });
          }),
        );
    },
  },
  {
    name: '$group over 1,000 of 20,000 documents',
    clients: [1, 50],
    unitsPerCall: 1,
    async prepare(database) {
      await database.messages();
      const collection = database.collection('messages');
      return () =>
        collection
          .aggregate([
            { $match: { tenantId: 'tenant-1', conversationId: { $in: fiveConversations } } },
            { $group: { _id: '$conversationId', messages: { $sum: 1 }, last: { $max: '$timestamp' } } },
          ])
          .toArray();
    },
  },
];
