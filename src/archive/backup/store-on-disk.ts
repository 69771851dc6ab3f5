import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { mongo } from 'mongoose';
import { BackupError } from './backup-error.js';
import type { StoredCollection } from './manifest.js';
import { sumCollection } from './bson-files.js';

/** Longer than any check takes, so that no expired document is deleted meanwhile. */
const NO_EXPIRY_SECONDS = 86_400;
const ofServer = new Set(['admin', 'config', 'local']);

/** Opens an embedded store that belongs to no service, without deleting what has expired. */
export async function withStore<T>(dir: string, work: (client: mongo.MongoClient) => Promise<T>): Promise<T> {
  const store = await EmbeddedMongo.open({ dir });
  const client = new mongo.MongoClient(store.uri, { maxPoolSize: 2 });
  try {
    await client.db('admin').command({ setParameter: 1, ttlMonitorSleepSecs: NO_EXPIRY_SECONDS });
    return await work(client);
  } finally {
    await client.close();
    await store.close();
  }
}

export interface CollectionName {
  database: string;
  name: string;
}

/** The collections of a database that hold documents: no views, and none of the server. */
export async function collectionsOf(database: mongo.Db): Promise<mongo.CollectionInfo[]> {
  const found = await database.listCollections().toArray();
  return found
    .filter(({ name, type }) => type !== 'view' && !name.startsWith('system.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The databases of an embedded store, apart from those of the server. */
async function databasesOf(client: mongo.MongoClient): Promise<mongo.Db[]> {
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  return databases
    .map(({ name }) => name)
    .filter((name) => !ofServer.has(name))
    .sort()
    .map((name) => client.db(name));
}

/** Counts and checksums of all collections of an embedded store. */
export async function sumStore(client: mongo.MongoClient, signal: AbortSignal): Promise<StoredCollection[]> {
  const sums: StoredCollection[] = [];
  for (const database of await databasesOf(client))
    for (const { name } of await collectionsOf(database)) {
      const sum = await sumCollection(database.collection(name), signal);
      sums.push({ database: database.databaseName, name, ...sum });
    }
  return sums;
}

/**
 * Compares the collections of `database` with those of a manifest.
 * @throws BackupError that names the first difference
 */
export async function compareCollections(
  databaseOf: (collection: CollectionName) => mongo.Db,
  expected: readonly StoredCollection[],
  { validate, signal }: { validate: boolean; signal: AbortSignal },
): Promise<void> {
  for (const collection of expected) {
    const { name, count, sha256 } = collection;
    const database = databaseOf(collection);
    const found = await sumCollection(database.collection(name), signal);
    if (found.count !== count) throw unequal(name, `has ${found.count} documents instead of ${count}`);
    if (found.sha256 !== sha256) throw unequal(name, 'has documents that differ');
    if (validate) await validateCollection(database, name);
  }
}

async function validateCollection(database: mongo.Db, name: string): Promise<void> {
  const { valid, errors } = (await database.command({ validate: name })) as {
    valid?: boolean;
    errors?: unknown[];
  };
  if (valid !== true) throw unequal(name, `is not valid: ${JSON.stringify(errors ?? [])}`);
}

const unequal = (name: string, how: string): BackupError =>
  new BackupError(
    `The restored collection ${name} ${how}, so the backup cannot be trusted. Keep the older backups, make a new one, and report this.`,
  );
