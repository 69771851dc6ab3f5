import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { mongo } from 'mongoose';

/** A key for BACKUP_KEY. */
export const newBackupKey = (): string => randomBytes(32).toString('base64');

/** A temporary directory for the data and backups of one suite. */
export async function createBackupFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'colloquy-backup-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Opens the embedded store of a DATA_DIR, as a service would. */
export async function openStoreOf(
  dataDir: string,
): Promise<{ client: mongo.MongoClient; close: () => Promise<void> }> {
  const store = await EmbeddedMongo.open({ dir: join(dataDir, 'store') });
  const client = new mongo.MongoClient(store.uri, { serverSelectionTimeoutMS: 30_000 });
  return {
    client,
    async close() {
      await client.close();
      await store.close();
    },
  };
}

/** The BSON of each document of a database as hex, by collection, in the order of _id. */
export async function rawContents(
  database: mongo.Db,
  leaveOut: readonly string[] = [],
): Promise<Record<string, string[]>> {
  const contents: Record<string, string[]> = {};
  const names = (await database.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
  for (const name of names.filter((found) => !leaveOut.includes(found)).sort()) {
    const documents = (await database
      .collection(name)
      .find({}, { raw: true, sort: { _id: 1 } })
      .toArray()) as unknown as Uint8Array[];
    contents[name] = documents.map((document) => Buffer.from(document).toString('hex'));
  }
  return contents;
}

/** The names of the backups in a directory, the oldest first. */
export const backupsIn = (dir: string): string[] =>
  readdirSync(dir)
    .filter((name) => /^\d{4}-.*Z$/.test(name))
    .sort();
