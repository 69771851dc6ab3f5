import type { Doc } from '../values/bson.js';
import type { ServerError } from '../values/errors.js';
import type { WriteError } from './types.js';

/** Converts a statement's failure to an entry of `writeErrors`. */
export const writeErrorOf = (error: ServerError, index: number): WriteError => {
  const writeError: WriteError = { index, code: error.code, errmsg: error.message };
  const { keyPattern, keyValue, errInfo } = error.details ?? {};
  if (keyPattern) writeError.keyPattern = keyPattern as Doc;
  if (keyValue) writeError.keyValue = keyValue as Doc;
  if (errInfo) writeError.errInfo = errInfo as Doc;
  return writeError;
};
