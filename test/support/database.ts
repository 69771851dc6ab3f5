import { randomBytes } from 'node:crypto';
import { mongo } from 'mongoose';

export interface TestDatabase {
  /** Connection string that names the database. */
  uri: string;
  name: string;
  /** Looks past the application at what is stored, through a connection of its own. */
  collection<Row extends mongo.Document = mongo.Document>(collection: string): mongo.Collection<Row>;
  /** Names of the collections that there are, sorted. */
  collectionNames(): Promise<string[]>;
  /** Deletes the database and all that is in it. */
  drop(): Promise<void>;
}

/** Puts a database's name into a connection string, whatever options it has. */
export function withDatabase(uri: string, name: string): string {
  const [, server = uri, options = ''] =
    /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(uri) ?? [];
  return `${server}/${name}${options}`;
}

/** A database of its own for one suite, on the server that the global setup of jest names. It comes to be with the first write. */
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
