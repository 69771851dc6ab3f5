import type { ServerError } from '../values/errors.js';

/** Codes after which a driver may retry a write: the server is shutting down or is no longer primary. */
const retryableCodes: ReadonlySet<number> = new Set([
  6, 7, 89, 91, 134, 189, 262, 317, 358, 384, 402, 9001, 10107, 11600, 11602, 13435, 13436,
]);

/** Codes after which the whole transaction may be retried. */
const transientCodes: ReadonlySet<number> = new Set([24, 112, 251, 246, 267]);

/** Codes after which a change stream cannot be resumed. */
const nonResumableCodes: ReadonlySet<number> = new Set([280, 286]);

export const isRetryableCode = (code: number): boolean => retryableCodes.has(code);

interface Situation {
  inTransaction: boolean;
  retryableWrite: boolean;
  /** The command is commitTransaction or abortTransaction. */
  ending: boolean;
}

/** The labels of an error, depending on where it occurred. */
export function labelsFor(
  error: ServerError,
  { inTransaction, retryableWrite, ending }: Situation,
): string[] {
  const labels = new Set(error.errorLabels);
  if (!inTransaction) labels.delete('TransientTransactionError');
  else if (transientCodes.has(error.code)) labels.add('TransientTransactionError');
  else if (!ending && isRetryableCode(error.code)) labels.add('TransientTransactionError');
  if ((retryableWrite || ending) && isRetryableCode(error.code)) labels.add('RetryableWriteError');
  if (nonResumableCodes.has(error.code)) labels.add('NonResumableChangeStreamError');
  return [...labels];
}
