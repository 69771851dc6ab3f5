import { join } from 'node:path';
import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { messageOf } from '../common/index.js';
import { type DatabaseSettings, prepareDataDir, StartupError } from '../config/index.js';
import { type ErrorReporter, type Logger, REPORT_FLUSH_MS } from '../logging/index.js';

/** Where the database is, and how to release it. */
export interface StoreHandle {
  uri: string;
  kind: 'embedded' | 'mongodb';
  /** Directory of the embedded store. */
  dir?: string;
  /** Whether the embedded store runs in another process, which this one connects to. */
  attached?: boolean;
  close(): Promise<void>;
}

/**
 * Uses the MongoDB server given in the settings, or the embedded store in DATA_DIR. If another process has
 * already opened that store, this one connects to it; otherwise it opens the store itself.
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
      // The process cannot work without its database, so it exits. No acknowledged write is lost: a restart
      // reopens the store.
      onError: (error) => {
        // A failing thread is reported twice: with its error and when it exits.
        if (hasEnded) return;
        hasEnded = true;
        const errorId = errors.report(error, { level: 'fatal', tags: { kind: 'embeddedStore' } });
        logger.fatal({ err: error, errorId }, 'the embedded store stopped unexpectedly');
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
