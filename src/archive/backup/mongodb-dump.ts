import { deserialize, EJSON } from 'bson';
import { mongo } from 'mongoose';
import { RESTORE_MARKER } from '../../config/index.js';
import { type ArchiveReference, ARCHIVES, referenceIn } from './archive-references.js';
import { BackupError } from './backup-error.js';
import type { BackupKeys } from './backup-keys.js';
import type { CopyTarget, DatabaseCopy } from './embedded-backup.js';
import type { StoredCollection, StoredFile } from './manifest.js';
import { DocumentSum, insertRaw, rawDocuments, splitDocuments } from './bson-files.js';
import { collectionsOf } from './store-on-disk.js';
import { readStoredFile, writeStoredFile } from './stored-file.js';

const SNAPSHOT_TOO_OLD = 239;
const SNAPSHOT_UNAVAILABLE = 246;
const ATTEMPTS = 3;

const hasServerCode = (error: unknown, code: number): boolean =>
  error instanceof mongo.MongoServerError && error.code === code;

const exact = (value: unknown): string => EJSON.stringify(value, { relaxed: false });
const parsed = (text: string): mongo.Document => EJSON.parse(text, { relaxed: false }) as mongo.Document;

/** The file of a collection. Its name may contain characters that file names cannot. */
const fileOf = (name: string): string => `collections/${encodeURIComponent(name)}.bson`;

/** One snapshot of a database, from which every collection is read. */
class Dump {
  private readonly collections: StoredCollection[] = [];
  private readonly files: StoredFile[] = [];
  private readonly archives: ArchiveReference[] = [];

  constructor(
    private readonly database: mongo.Db,
    private readonly session: mongo.ClientSession,
    private readonly target: CopyTarget,
  ) {}

  async run(): Promise<DatabaseCopy> {
    // The first read decides on the snapshot. A collection that is created later is not part of it.
    await this.database.collection('tenants').findOne({}, { session: this.session });
    const collections = await collectionsOf(this.database);
    if (collections.some(({ name }) => name === RESTORE_MARKER))
      throw new BackupError(
        `A restore into the database "${this.database.databaseName}" is running or was interrupted, so it is incomplete. Finish the restore first: run the same "npm run restore" again.`,
      );
    for (const { name, options } of collections) await this.add(name, options ?? {});
    return { collections: this.collections, files: this.files, archives: this.archives };
  }

  private async add(name: string, options: mongo.Document): Promise<void> {
    const { dir, keys, signal } = this.target;
    const collection = this.database.collection(name);
    const indexes = await collection.indexes();
    const sum = new DocumentSum();
    const { session, archives } = this;
    const content = async function* (): AsyncGenerator<Buffer> {
      for await (const document of rawDocuments(collection, signal, session)) {
        sum.add(document);
        const reference = name === ARCHIVES ? referenceIn(deserialize(document)) : undefined;
        if (reference) archives.push(reference);
        yield Buffer.from(document.buffer, document.byteOffset, document.byteLength);
      }
    };
    const file = await writeStoredFile(content(), {
      dir,
      name: fileOf(name),
      role: 'collection',
      compress: true,
      keys,
      signal,
    });
    this.files.push(file);
    this.collections.push({
      database: this.database.databaseName,
      name,
      ...sum.result(),
      file: file.name,
      options: exact(options),
      indexes: exact(indexes),
    });
  }
}

function explainSnapshot(error: unknown): unknown {
  if (hasServerCode(error, SNAPSHOT_TOO_OLD))
    return new BackupError(
      'The backup took longer than the server keeps a snapshot. Raise its parameter minSnapshotHistoryWindowInSeconds (docs/recovery.md says how), and write to a faster disk.',
      { cause: error },
    );
  if (hasServerCode(error, SNAPSHOT_UNAVAILABLE))
    return new BackupError(
      'Collections or indexes were created or dropped during the backup. Repeat it when that has ended.',
      { cause: error },
    );
  return error;
}

/**
 * Writes one snapshot of a MongoDB database: for each collection its documents as BSON, its options and its
 * indexes. Starts again if a collection was created or dropped meanwhile.
 */
export async function dumpDatabase(
  client: mongo.MongoClient,
  databaseName: string,
  target: CopyTarget,
  discard: () => Promise<void>,
): Promise<DatabaseCopy> {
  for (let attempt = 1; ; attempt++) {
    const session = client.startSession({ snapshot: true });
    try {
      return await new Dump(client.db(databaseName), session, target).run();
    } catch (error) {
      if (!hasServerCode(error, SNAPSHOT_UNAVAILABLE) || attempt === ATTEMPTS) throw explainSnapshot(error);
      await discard();
    } finally {
      await session.endSession();
    }
  }
}

export interface LoadOptions {
  /** Directory of the backup. */
  dir: string;
  files: readonly StoredFile[];
  keys: BackupKeys;
  signal: AbortSignal;
  /** Called if the server has no such indexes, which then are left out. Without it, that is an error. */
  onIndexError?: (collection: string, error: mongo.MongoServerError) => void;
}

/** Creates the collections of a dump with their documents and indexes in a database that has none of them. */
export async function loadDump(
  database: mongo.Db,
  collections: readonly StoredCollection[],
  { dir, files, keys, signal, onIndexError }: LoadOptions,
): Promise<void> {
  for (const { name, file: fileName, options = '{}', indexes = '[]' } of collections) {
    signal.throwIfAborted();
    const file = files.find((candidate) => candidate.name === fileName);
    if (!file) throw new BackupError(`The backup has no file of the collection ${name}. Use another backup.`);
    await database.createCollection(name, parsed(options));
    await readStoredFile(dir, file, { keys, signal }, (content) =>
      insertRaw(database, name, splitDocuments(content), signal),
    );
    const more = (parsed(indexes) as mongo.Document[]).filter((index) => index['name'] !== '_id_');
    if (more.length === 0) continue;
    try {
      await database.command({ createIndexes: name, indexes: more });
    } catch (error) {
      if (!onIndexError || !(error instanceof mongo.MongoServerError)) throw error;
      onIndexError(name, error);
    }
  }
}

/** A client for a backup or a restore. Writes are acknowledged by a majority, whatever the URI says. */
export const connectTo = (uri: string): Promise<mongo.MongoClient> =>
  new mongo.MongoClient(uri, {
    appName: 'colloquy backup',
    maxPoolSize: 4,
    readPreference: 'primary',
  }).connect();
