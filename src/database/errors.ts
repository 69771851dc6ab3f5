import { mongo } from 'mongoose';
import { type ProblemDetails, ProblemError } from '../http/index.js';

const hasLabel = (error: unknown, label: string): boolean =>
  error instanceof mongo.MongoError && error.hasErrorLabel(label);

/** The whole transaction may be run again: nothing of it was stored. */
export const isTransientTransactionError = (error: unknown): boolean =>
  hasLabel(error, 'TransientTransactionError');

/** The commit may or may not have been stored: the commit alone is to be repeated. */
export const isUnknownCommitResult = (error: unknown): boolean =>
  hasLabel(error, 'UnknownTransactionCommitResult');

/** A unique index refused an insert of a unit of work. */
export class DuplicateKeyError extends Error {
  constructor(
    readonly collection: string,
    /** The fields of the index. */
    readonly fields: readonly string[],
    message: string,
  ) {
    super(message);
    this.name = 'DuplicateKeyError';
  }
}

/** Codes of a server that refuses a document: BadValue, DocumentValidationFailure, a document or key that is too large, field names. */
const documentCodes: ReadonlySet<unknown> = new Set([2, 52, 55, 56, 57, 121, 10334, 17280, 17419, 17420]);

/** A unit of work caused it, by what it writes; others of the same transaction may succeed without it. */
export const isDocumentError = (error: unknown): boolean =>
  error instanceof RangeError ||
  error instanceof TypeError ||
  error instanceof mongo.BSON.BSONError ||
  (error instanceof mongo.MongoServerError && documentCodes.has(error.code));

/** The database is slower than what is to be written. */
export const databaseBusy = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'database_busy',
    title: 'The database is too slow at the moment',
    detail: 'Too much waits to be written; nothing of this request was stored. Send it again a little later.',
    retryAfterSeconds: 1,
  });

export const shuttingDown = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'shutting_down',
    title: 'The service is shutting down',
    detail: 'Nothing of this request was stored. Send it again.',
    retryAfterSeconds: 1,
  });

const contention: ProblemDetails = {
  status: 503,
  code: 'transaction_contention',
  title: 'Too many writers on the same data',
  detail: 'The transaction lost against others each time it was tried; nothing was stored. Send it again.',
  retryAfterSeconds: 1,
};

/** Others wrote the same data each time the work was tried. */
export const transactionContention = (): ProblemError => new ProblemError(contention);

/**
 * The fields of the unique index that refused a write; undefined for other errors. The driver drops `keyPattern` from the errors of
 * insertMany, so that there they are read from the index's name, which the server makes of fields and directions.
 */
export function duplicateKeyFields(error: unknown): readonly string[] | undefined {
  if (error instanceof DuplicateKeyError) return error.fields;
  if (!(error instanceof mongo.MongoServerError) || error.code !== 11000) return undefined;
  const pattern: unknown = error['keyPattern'];
  if (typeof pattern === 'object' && pattern !== null) return Object.keys(pattern);
  const indexName = /\bindex: (\S+)/.exec(error.message)?.[1] ?? '';
  return [...indexName.matchAll(/([^_]+?)_-?1(?:_|$)/g)].map(([, field = '']) => field);
}

const connectionErrors = [
  mongo.MongoServerSelectionError,
  mongo.MongoNetworkError,
  mongo.MongoNotConnectedError,
  mongo.MongoTopologyClosedError,
  mongo.MongoClientClosedError,
];

/**
 * Codes of a server that stops or steps down, or, behind mongos, that another server could not be reached or took too long. Those of
 * the drivers' list of retryable errors, and what mongos adds to it. Names as in MongoDB's error_codes.yml.
 */
const unavailableCodes: ReadonlySet<unknown> = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  89, // NetworkTimeout
  91, // ShutdownInProgress
  133, // FailedToSatisfyReadPreference: no primary
  189, // PrimarySteppedDown
  262, // ExceededTimeLimit
  384, // ConnectionError
  9001, // SocketException
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11602, // InterruptedDueToReplStateChange
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
]);

/** The server cannot be reached, or the connection to it broke; what is sent next may wait for it all over again. */
export const isDatabaseAway = (error: unknown): boolean =>
  connectionErrors.some((type) => error instanceof type) ||
  // A bulk write wraps the error of its connection, and drops the type; an error of the server has a code.
  (error instanceof mongo.MongoBulkWriteError && error.code === undefined);

/** Database failures that a client should know as such: the database is away (503) or too busy with the same data (503). */
export function databaseProblem(error: unknown): ProblemDetails | undefined {
  const poolExhausted = error instanceof Error && error.name === 'MongoWaitQueueTimeoutError';
  const poolCleared = error instanceof Error && error.name === 'MongoPoolClearedError';
  const unavailable = error instanceof mongo.MongoServerError && unavailableCodes.has(error.code);
  if (poolExhausted || poolCleared || unavailable || isDatabaseAway(error))
    return {
      status: 503,
      code: 'database_unavailable',
      title: 'The database cannot be reached',
      detail: 'Nothing of this request was acknowledged. Send it again a little later.',
      retryAfterSeconds: 2,
    };
  if (isUnknownCommitResult(error))
    return {
      status: 503,
      code: 'outcome_unknown',
      title: 'The database did not confirm the write',
      detail:
        'It may have been stored. Send it again with the same externalId, or read what is stored before you repeat it.',
      retryAfterSeconds: 2,
    };
  if (isTransientTransactionError(error)) return contention;
  return undefined;
}
