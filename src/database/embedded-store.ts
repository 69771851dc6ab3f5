import { join } from 'node:path';
import { messageOf } from '../common/index.js';
import { EmbeddedMongo } from '../../libs/embedded-mongo/src/index.js';
import { type DatabaseSettings, prepareDataDir, StartupError } from '../config/index.js';
import { type ErrorReporter, type Logger, REPORT_FLUSH_MS } from '../logging/index.js';

/** Where the database is, and how to let go of it. */
export interface StoreHandle {
  uri: string;
  kind: 'embedded' | 'mongodb';
  /** Directory of the embedded store. */
  dir?: string;
  /** The embedded store runs in another process, whose store this one uses. */
  attached?: boolean;
  close(): Promise<void>;
}

/**
 * The MongoDB that the settings name, or the embedded store in DATA_DIR: the running one of another process when there is one,
 * otherwise opened here.
 * @throws StartupError when the data directory or the store in it cannot be used
 */
export async function openStore(
  settings: DatabaseSettings,
  dataDir: string,
  { logger, errors }: { logger: Logger; errors: ErrorReporter },
): Promise<StoreHandle> {
  if (settings.MONGODB_URI !== undefined)
    return { uri: settings.MONGODB_URI, kind: 'mongodb', close: () => Promise.resolve() };
  const dir = join(prepareDataDir(dataDir), 'store');
  let hasEnded = false;
  try {
    const store = await EmbeddedMongo.open({
      dir,
      ...(settings.EMBEDDED_MONGO_PORT !== undefined && { port: settings.EMBEDDED_MONGO_PORT }),
      // Without its database the process is of no use, and nothing acknowledged is lost: what restarts it reopens the store.
      onError: (error) => {
        // A thread that fails says so twice: by its error, and by its end.
        if (hasEnded) return;
        hasEnded = true;
        const errorId = errors.report(error, { level: 'fatal', tags: { kind: 'embeddedStore' } });
        logger.fatal({ err: error, errorId }, 'the embedded store ended unexpectedly');
        void errors.flush(REPORT_FLUSH_MS).then(() => process.exit(1));
      },
      log: (level, message, details) => {
        logger[level]({ store: 'embedded', ...details }, message);
      },
    });
    return { uri: store.uri, kind: 'embedded', dir, attached: store.attached, close: () => store.close() };
  } catch (error) {
    throw new StartupError(`The embedded store in ${dir} cannot be opened: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
