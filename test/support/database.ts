import { randomBytes } from 'node:crypto';
import { mongo } from 'mongoose';

export interface TestDatabase {
  /** Connection string that includes the database name. */
  uri: string;
  name: string;
  /** Direct access to the stored documents, bypassing the application, through a separate connection. */
  collection<Row extends mongo.Document = mongo.Document>(collection: string): mongo.Collection<Row>;
  /** Names of the existing collections, sorted. */
  collectionNames(): Promise<string[]>;
  /** Deletes the database with all its contents. */
  drop(): Promise<void>;
}

/** Inserts a database name into a connection string, which may have options. */
export function withDatabase(uri: string, name: string): string {
  const [, server = uri, options = ''] =
    /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(uri) ?? [];
  return `${server}/${name}${options}`;
}

/**
 * A new database for one suite, on the server provided by the global setup of jest. The first write creates
 * it.
 */
export function createTestDatabase(): TestDatabase {
  const server = process.env['COLLOQUY_TEST_MONGODB_URI'];
  if (!server)
    throw new Error(
      'COLLOQUY_TEST_MONGODB_URI is not set: run this suite through jest with its global setup',
    );
  const name = `test_${randomBytes(6).toString('hex')}`;
  const uri = withDatabase(server, name);
  let client: mongo.MongoClient | undefined;
  const database = (): mongo.Db => {
    client ??= new mongo.MongoClient(uri, { serverSelectionTimeoutMS: 30_000 });
    return client.db(name);
  };
  return {
    uri,
    name,
    collection: (collection) => database().collection(collection),
    async collectionNames() {
      const found = await database().listCollections({}, { nameOnly: true }).toArray();
      return found.map((collection) => collection.name).sort();
    },
    async drop() {
      try {
        await database().dropDatabase();
      } finally {
        await client?.close();
      }
    },
  };
}
