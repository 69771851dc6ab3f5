import { mongo } from 'mongoose';
import { type ProblemDetails, ProblemError } from '../http/index.js';

const hasLabel = (error: unknown, label: string): boolean =>
  error instanceof mongo.MongoError && error.hasErrorLabel(label);

/** The whole transaction may be retried: nothing of it was stored. */
export const isTransientTransactionError = (error: unknown): boolean =>
  hasLabel(error, 'TransientTransactionError');

/** The commit may or may not have taken effect: only the commit must be retried. */
export const isUnknownCommitResult = (error: unknown): boolean =>
  hasLabel(error, 'UnknownTransactionCommitResult');

/** A unique index rejected an insert of a unit of work. */
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

/**
 * Server error codes for a rejected document: BadValue, DocumentValidationFailure, a document or key that is
 * too large, invalid field names.
 */
const documentCodes: ReadonlySet<unknown> = new Set([2, 52, 55, 56, 57, 121, 10334, 17280, 17419, 17420]);

/**
 * Whether one unit of work caused the error by what it writes. Other units of the same transaction may
 * succeed without it.
 */
export const isDocumentError = (error: unknown): boolean =>
  error instanceof RangeError ||
  error instanceof TypeError ||
  error instanceof mongo.BSON.BSONError ||
  (error instanceof mongo.MongoServerError && documentCodes.has(error.code));

/** Writes arrive faster than the database can store them. */
export const databaseBusy = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'database_busy',
    title: 'The database is too slow at the moment',
    detail: 'Too many writes are waiting. Nothing of this request was stored; retry it a little later.',
    retryAfterSeconds: 1,
  });

export const shuttingDown = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'shutting_down',
    title: 'The service is shutting down',
    detail: 'Nothing of this request was stored. Retry it.',
    retryAfterSeconds: 1,
  });

const contention: ProblemDetails = {
  status: 503,
  code: 'transaction_contention',
  title: 'Too many concurrent writes to the same data',
  detail: 'The transaction conflicted with others on every attempt. Nothing was stored; retry it.',
  retryAfterSeconds: 1,
};

/** OutOfDiskSpace. The embedded store also reports a failed write with it if its disk or quota is full. */
const OUT_OF_DISK_SPACE = 14031;
/** AtlasError, which has this code for several reasons. */
const ATLAS_ERROR = 8000;

/** Whether the database has no space to store the write. Nothing of the command or transaction was stored. */
export const isOutOfSpace = (error: unknown): boolean =>
  error instanceof mongo.MongoServerError &&
  (error.code === OUT_OF_DISK_SPACE || (error.code === ATLAS_ERROR && /space quota/i.test(error.message)));

const insufficientStorage: ProblemDetails = {
  status: 507,
  code: 'insufficient_storage',
  title: 'The disk of the database is full',
  detail:
    'Nothing of this request was stored. Reading still works. An operator must free or add space on the disk of the database (DATA_DIR, with the embedded store); then writes succeed again without a restart.',
  retryAfterSeconds: 30,
};

/** The work conflicted with other writes to the same data on every attempt. */
export const transactionContention = (): ProblemError => new ProblemError(contention);

/**
 * Returns the fields of the unique index that rejected a write, or undefined for other errors. The driver
 * drops `keyPattern` from errors of insertMany. In that case the fields are read from the index name, which
 * the server builds from fields and directions.
 */
export function duplicateKeyFields(error: unknown): readonly string[] | undefined {
  if (error instanceof DuplicateKeyError) return error.fields;
  if (!(error instanceof mongo.MongoServerError) || error.code !== 11000) return undefined;
  const pattern: unknown = error['keyPattern'];
  if (typeof pattern === 'object' && pattern !== null) return Object.keys(pattern);
  const indexName = /\bindex: (\S+)/.exec(error.message)?.[1] ?? '';
  return [...indexName.matchAll(/(?<=^|_)([^_]+)_-?1(?=_|$)/g)].map(([, field = '']) => field);
}

const connectionErrors = [
  mongo.MongoServerSelectionError,
  mongo.MongoNetworkError,
  mongo.MongoNotConnectedError,
  mongo.MongoTopologyClosedError,
  mongo.MongoClientClosedError,
];

/**
 * Error codes of a server that is stopping or stepping down, or, behind mongos, of another server that could
 * not be reached or took too long. These are the codes in the drivers' list of retryable errors and those
 * that mongos adds. Names are as in MongoDB's error_codes.yml.
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

/**
 * Whether the server cannot be reached or the connection broke. The next command may wait for the server
 * again.
 */
export const isDatabaseAway = (error: unknown): boolean =>
  connectionErrors.some((type) => error instanceof type) ||
  // A bulk write wraps a connection error and drops its type; server errors have a code.
  (error instanceof mongo.MongoBulkWriteError && error.code === undefined);

/**
 * Maps database failures that clients should recognize to problem details, with status 507 if its disk is
 * full, and otherwise 503: database unavailable, outcome unknown, or contention.
 */
export function databaseProblem(error: unknown): ProblemDetails | undefined {
  const poolExhausted = error instanceof Error && error.name === 'MongoWaitQueueTimeoutError';
  const poolCleared = error instanceof Error && error.name === 'MongoPoolClearedError';
  const unavailable = error instanceof mongo.MongoServerError && unavailableCodes.has(error.code);
  if (poolExhausted || poolCleared || unavailable || isDatabaseAway(error))
    return {
      status: 503,
      code: 'database_unavailable',
      title: 'The database cannot be reached',
      detail: 'Nothing of this request was acknowledged. Retry it a little later.',
      retryAfterSeconds: 2,
    };
  if (isOutOfSpace(error)) return insufficientStorage;
  if (isUnknownCommitResult(error))
    return {
      status: 503,
      code: 'outcome_unknown',
      title: 'The database did not confirm the write',
      detail:
        'It may have been stored. Retry it with the same externalId, or read what is stored before you repeat it.',
      retryAfterSeconds: 2,
    };
  if (isTransientTransactionError(error)) return contention;
  return undefined;
}
