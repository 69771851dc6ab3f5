import { mongo } from 'mongoose';
import type { ProblemDetails } from '../common/index.js';

const hasLabel = (error: unknown, label: string): boolean =>
  error instanceof mongo.MongoError && error.hasErrorLabel(label);

/** The whole transaction may be run again: nothing of it was stored. */
export const isTransientTransactionError = (error: unknown): boolean =>
  hasLabel(error, 'TransientTransactionError');

/** The commit may or may not have been stored: the commit alone is to be repeated. */
export const isUnknownCommitResult = (error: unknown): boolean =>
  hasLabel(error, 'UnknownTransactionCommitResult');

/**
 * The fields of the unique index that refused a write; undefined for other errors. The driver drops `keyPattern` from the errors of
 * insertMany, so that there they are read from the index's name, which the server makes of fields and directions.
 */
export function duplicateKeyFields(error: unknown): string[] | undefined {
  if (!(error instanceof mongo.MongoServerError) || error.code !== 11000) return undefined;
  const pattern: unknown = error['keyPattern'];
  if (typeof pattern === 'object' && pattern !== null) return Object.keys(pattern);
  const indexName = /\bindex: (\S+)/.exec(error.message)?.[1] ?? '';
  return [...indexName.matchAll(/([^_]+?)_-?1(?:_|$)/g)].map(([, field = '']) => field);
}

const unavailable = [
  mongo.MongoServerSelectionError,
  mongo.MongoNetworkError,
  mongo.MongoNotConnectedError,
  mongo.MongoTopologyClosedError,
  mongo.MongoClientClosedError,
];

/** Server codes of a node that stops or steps down: ShutdownInProgress, PrimarySteppedDown, NotWritablePrimary and their like. */
const leavingCodes: ReadonlySet<unknown> = new Set([91, 189, 10107, 11600, 11602, 13435, 13436]);

/** The server cannot be reached, or the connection to it broke; what is sent next may wait for it all over again. */
export const isDatabaseAway = (error: unknown): boolean =>
  unavailable.some((type) => error instanceof type) ||
  // A bulk write wraps what broke its connection, and drops the type; what the server answered has a code.
  (error instanceof mongo.MongoBulkWriteError && error.code === undefined);

/** Database failures that a client should know as such: the database is away (503) or too busy with the same data (503). */
export function databaseProblem(error: unknown): ProblemDetails | undefined {
  const poolExhausted = error instanceof Error && error.name === 'MongoWaitQueueTimeoutError';
  const poolCleared = error instanceof Error && error.name === 'MongoPoolClearedError';
  const leaving = error instanceof mongo.MongoServerError && leavingCodes.has(error.code);
  if (poolExhausted || poolCleared || leaving || isDatabaseAway(error))
    return {
      status: 503,
      code: 'database_unavailable',
      title: 'The database cannot be reached',
      detail: 'Nothing of this request was acknowledged. Send it again a little later.',
      retryAfterSeconds: 2,
    };
  if (isTransientTransactionError(error))
    return {
      status: 503,
      code: 'transaction_contention',
      title: 'Too many writers on the same data',
      detail:
        'The transaction lost against others each time it was tried; nothing was stored. Send it again.',
      retryAfterSeconds: 1,
    };
  return undefined;
}
