import { mongo } from 'mongoose';
import { settingsFromEnvironment } from '../../src/config/index.js';
import { databaseNameOf, openStore } from '../../src/database/index.js';
import { createLogger, silentReporter } from '../../src/logging/index.js';

/** A tool's own connection to the database of the service. */
export interface StoreClient {
  client: mongo.MongoClient;
  db: mongo.Db;
  /** Display text: which database of which server. */
  title: string;
  /** Directory of the embedded store. */
  dir?: string | undefined;
  close(): Promise<void>;
}

/**
 * Connects to the MongoDB server given in MONGODB_URI, or to the embedded store in DATA_DIR: that of a
 * running service, or one opened here. `appName` distinguishes the tool's own commands from others.
 * @throws SettingsError, StartupError, MongoServerSelectionError
 */
export async function openStoreClient(appName: string): Promise<StoreClient> {
  const settings = settingsFromEnvironment();
  const logger = createLogger({ level: 'warn', pretty: process.stdout.isTTY });
  const store = await openStore(settings.database, settings.service.DATA_DIR, {
    logger,
    errors: silentReporter,
  });
  const client = new mongo.MongoClient(store.uri, {
    appName,
    maxPoolSize: 2,
    serverSelectionTimeoutMS: settings.database.MONGODB_SERVER_SELECTION_TIMEOUT_MS,
  });
  const close = async (): Promise<void> => {
    await client.close();
    await store.close();
  };
  try {
    await client.connect();
    const db = client.db(databaseNameOf(store.uri));
    const source = store.kind === 'embedded' ? `the embedded store in ${store.dir ?? ''}` : 'MongoDB';
    return { client, db, title: `Database "${db.databaseName}" of ${source}`, dir: store.dir, close };
  } catch (error) {
    await close();
    throw error;
  }
}
