import { type Connection, Mongoose, mongo } from 'mongoose';
import { backoffDelay, messageOf, retryPolicy } from '../common/index.js';
import { type DatabaseSettings, mongoUriOptions, StartupError } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import type { CommandMonitor } from './command-monitor.js';
import { observedConnection } from './observed-connection.js';
import { PoolMonitor } from './pool-monitor.js';

export const DEFAULT_DATABASE = 'colloquy';

/** The database named in a connection string, or `colloquy` when there is none. */
export function databaseNameOf(uri: string): string {
  const name = /^mongodb(?:\+srv)?:\/\/[^/]*\/([^?]+)/.exec(uri)?.[1];
  return name === undefined ? DEFAULT_DATABASE : decodeURIComponent(name);
}

/** Removes the user and the password from a connection string, for logs and messages. */
export const withoutCredentials = (uri: string): string => uri.replace(/\/\/[^@/]*@/, '//');

/**
 * Builds the client options. Options without a setting are left out when the connection string contains them.
 * Settings that can also be given in the connection string already hold its values (see `orInUri` in the
 * configuration). Hosts are tried over IPv4 and IPv6, so that `localhost` finds a server that listens on
 * either.
 */
export function clientOptions(settings: DatabaseSettings, uri: string): mongo.MongoClientOptions {
  const given = mongoUriOptions(uri);
  return {
    maxPoolSize: settings.MONGODB_MAX_POOL_SIZE,
    minPoolSize: settings.MONGODB_MIN_POOL_SIZE,
    maxIdleTimeMS: settings.MONGODB_MAX_IDLE_TIME_MS,
    serverSelectionTimeoutMS: settings.MONGODB_SERVER_SELECTION_TIMEOUT_MS,
    socketTimeoutMS: settings.MONGODB_SOCKET_TIMEOUT_MS,
    connectTimeoutMS: settings.MONGODB_CONNECT_TIMEOUT_MS,
    heartbeatFrequencyMS: settings.MONGODB_HEARTBEAT_MS,
    maxConnecting: settings.MONGODB_MAX_CONNECTING,
    waitQueueTimeoutMS: settings.MONGODB_WAIT_QUEUE_TIMEOUT_MS,
    // The driver looks up each name of an array that it reads in this object. In its default, `{}`, it finds
    // `constructor` and other inherited names, and returns the items of such arrays as bytes.
    fieldsAsRaw: Object.create(null) as mongo.Document,
    // Texts were valid when they were written. The driver checks them one character at a time, which takes longer
    // than reading them.
    enableUtf8Validation: false,
    ...(!given.has('appname') && { appName: 'colloquy' }),
    ...(!given.has('compressors') && { compressors: ['zlib'] }),
    ...(!given.has('w') && { w: 'majority' }),
  };
}

/** Describes the option of a connection string that would break a guarantee; undefined when there is none. */
function brokenPromise(uri: string): string | undefined {
  const given = mongoUriOptions(uri);
  const [w, journal, readPreference] = ['w', 'journal', 'readpreference'].map((name) => given.get(name));
  if (w !== undefined && w !== 'majority')
    return `w=${w}, but acknowledged writes must survive the loss of a server, which only w=majority guarantees`;
  if (journal === 'false')
    return 'journal=false, but acknowledged writes must survive a server crash, so they must be journaled';
  if (readPreference !== undefined && readPreference !== 'primary')
    return `readPreference=${readPreference}, but a read must see earlier writes, which only the primary guarantees`;
  return undefined;
}

/**
 * Creates a separate Mongoose instance for each connection, so that its settings do not affect other
 * instances in the process: no automatic indexes or collections, no buffering of commands while disconnected,
 * and the session of a running transaction applied to every model call.
 */
function createMongoose(): Mongoose {
  return new Mongoose({
    autoIndex: false,
    autoCreate: false,
    bufferCommands: false,
    strictQuery: 'throw',
    transactionAsyncLocalStorage: true,
  });
}

const connectBackoff = { baseMs: 1000, maxMs: 30_000, jitter: 0 };

async function connectClient(
  uri: string,
  settings: DatabaseSettings,
  pool: PoolMonitor,
  logger: Logger,
  commands: CommandMonitor | undefined,
): Promise<mongo.MongoClient> {
  const attempts = settings.DATABASE_CONNECT_ATTEMPTS;
  const connectOnce = async (): Promise<mongo.MongoClient> => {
    const client = new mongo.MongoClient(uri, {
      ...clientOptions(settings, uri),
      ...(commands && { connectionType: observedConnection(commands) }),
    });
    pool.watch(client);
    try {
      await client.connect();
      await client.db('admin').command({ ping: 1 });
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  };
  try {
    return await retryPolicy({ attempts, backoff: connectBackoff, isRetryable: () => true })((attempt) =>
      connectOnce().catch((error: unknown) => {
        if (attempt < attempts) {
          const delayMs = backoffDelay(attempt, connectBackoff);
          logger.warn(
            { attempt, attempts, delayMs, reason: messageOf(error) },
            'database connection failed; retrying',
          );
        }
        throw error;
      }),
    );
  } catch (error) {
    throw new StartupError(
      `The database at ${withoutCredentials(uri)} could not be reached in ${attempts} attempts (${messageOf(error)}). ` +
        'Check MONGODB_URI and that the server is running as a replica set, or unset MONGODB_URI to use the embedded store.',
      { cause: error },
    );
  }
}

export interface OpenConnection {
  connection: Connection;
  pool: PoolMonitor;
  /** Undefined when nothing observes commands. */
  commands: CommandMonitor | undefined;
  close(): Promise<void>;
}

/**
 * Opens the connection that all modules share.
 * @throws StartupError after DATABASE_CONNECT_ATTEMPTS failures, or immediately when the connection string is
 * malformed or weakens a guarantee
 */
export async function openConnection(
  uri: string,
  settings: DatabaseSettings,
  logger: Logger,
  commands?: CommandMonitor,
): Promise<OpenConnection> {
  try {
    new mongo.MongoClient(uri);
  } catch (error) {
    throw new StartupError(`MONGODB_URI is not a valid connection string: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const broken = brokenPromise(uri);
  if (broken !== undefined)
    throw new StartupError(`MONGODB_URI has ${broken}. Remove this option from the connection string.`);
  const pool = new PoolMonitor(settings.MONGODB_MAX_POOL_SIZE);
  const client = await connectClient(uri, settings, pool, logger, commands);
  const connection = createMongoose().createConnection();
  connection.setClient(client);
  const unfollow = follow(connection, logger);
  return {
    connection: connection.useDb(databaseNameOf(uri)),
    pool,
    commands,
    close: () => {
      unfollow();
      return connection.close();
    },
  };
}

/** Logs when the connection is lost or restored, until the returned function is called. */
function follow(connection: Connection, logger: Logger): () => void {
  const lost = (): void => {
    logger.warn('database connection lost; operations fail until it is restored');
  };
  const back = (): void => {
    logger.info('database connection restored');
  };
  connection.on('disconnected', lost).on('reconnected', back);
  return () => {
    connection.off('disconnected', lost).off('reconnected', back);
  };
}
