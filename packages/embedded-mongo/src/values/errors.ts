import type { Doc } from './types.js';
import { withoutMarks } from './names.js';

/** MongoDB's numeric codes and names for the errors that this server raises. */
export const ErrorCodes = {
  InternalError: 1,
  BadValue: 2,
  NoSuchKey: 4,
  GraphContainsCycle: 5,
  HostUnreachable: 6,
  FailedToParse: 9,
  Unauthorized: 13,
  TypeMismatch: 14,
  Overflow: 15,
  InvalidLength: 16,
  ProtocolError: 17,
  IllegalOperation: 20,
  EmptyArrayOperation: 21,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  NonExistentPath: 29,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  NamespaceExists: 48,
  MaxTimeMSExpired: 50,
  DollarPrefixedFieldName: 52,
  InvalidIdField: 53,
  NotSingleValueField: 54,
  EmptyFieldName: 56,
  DottedFieldName: 57,
  CommandNotFound: 59,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  IndexAlreadyExists: 68,
  InvalidOptions: 72,
  InvalidNamespace: 73,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  CannotBuildIndexKeys: 201,
  OperationFailed: 96,
  InvalidBSON: 22,
  ConversionFailure: 241,
  QueryFeatureNotAllowed: 224,
  NotExactValueField: 111,
  WriteConflict: 112,
  CommandNotSupported: 115,
  DocumentValidationFailure: 121,
  CappedPositionLost: 136,
  ViewDepthLimitExceeded: 165,
  CommandNotSupportedOnView: 166,
  OptionNotSupportedOnView: 167,
  InvalidPipelineOperator: 168,
  CannotIndexParallelArrays: 171,
  QueryPlanKilled: 175,
  NoQueryExecutionPlans: 291,
  QueryExceededMemoryLimitNoDiskUseAllowed: 292,
  TransactionTooOld: 225,
  InvalidResumeToken: 260,
  ChangeStreamFatalError: 280,
  ChangeStreamHistoryLost: 286,
  NoMatchingDocument: 47,
  CursorKilled: 237,
  NoSuchTransaction: 251,
  TransactionCommitted: 256,
  OperationNotSupportedInTransaction: 263,
  InterruptedAtShutdown: 11600,
  Interrupted: 11601,
  DuplicateKey: 11000,
  BSONObjectTooLarge: 10334,
  OutOfDiskSpace: 14031,
} as const;

export type ErrorCodeName = keyof typeof ErrorCodes;

const nameOfCode = new Map<number, string>(Object.entries(ErrorCodes).map(([name, code]) => [code, name]));

/**
 * An error that the client receives as `{ ok: 0, code, codeName, errmsg, errorLabels? }` or in `writeErrors`.
 */
export class ServerError extends Error {
  readonly code: number;
  readonly codeName: string;
  readonly errorLabels: string[];
  /**
   * Additional fields of the reply: `keyPattern` and `keyValue` of a duplicate key error, `errInfo` of a
   * failed validation.
   */
  readonly details: Doc | undefined;

  constructor(
    code: ErrorCodeName | number,
    message: string,
    options: { errorLabels?: string[]; details?: Doc; codeName?: string } = {},
  ) {
    super(withoutMarks(message));
    this.name = 'ServerError';
    this.code = typeof code === 'number' ? code : ErrorCodes[code];
    this.codeName = options.codeName ?? nameOfCode.get(this.code) ?? `Location${this.code}`;
    this.errorLabels = options.errorLabels ?? [];
    this.details = options.details;
  }
}

/** The error for a MongoDB feature that this store does not support. The README lists these features. */
export const unsupported = (feature: string): ServerError =>
  new ServerError('CommandNotSupported', `${feature} is not supported by the embedded store`);

/** The error for a write that conflicts with another transaction. Drivers retry the whole transaction. */
export const writeConflict = (): ServerError =>
  new ServerError('WriteConflict', 'Write conflict during plan execution and yielding is disabled.', {
    errorLabels: ['TransientTransactionError'],
  });

/** Errors that do not concern a single document. Their messages get no prefix. */
const withoutContext: ReadonlySet<number> = new Set([
  ErrorCodes.WriteConflict,
  ErrorCodes.CommandNotSupportedOnView,
]);

/** Prepends the context to the message of a ServerError. Other errors are returned unchanged. */
export const withContext = (error: unknown, context: string): unknown => {
  if (!(error instanceof ServerError) || withoutContext.has(error.code)) return error;
  return new ServerError(error.code, `${context} :: caused by :: ${error.message}`, {
    errorLabels: error.errorLabels,
    codeName: error.codeName,
    ...(error.details && { details: error.details }),
  });
};

const killMessages: Partial<Record<ErrorCodeName, string>> = {
  CursorKilled: 'operation was interrupted because its cursor was killed',
  InterruptedAtShutdown: 'interrupted at shutdown',
};

/** The error of an operation that was interrupted from outside. */
export const interrupted = (reason: ErrorCodeName = 'Interrupted'): ServerError =>
  new ServerError(reason, killMessages[reason] ?? 'operation was interrupted');
