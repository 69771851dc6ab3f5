import { encode, int, newDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** Maximum size of an event in a reply, bytes. */
export const maxEventBytes = 16 * 1024 * 1024 + 16 * 1024;
/** Bytes reserved for `_id` and `splitEvent` with their names. */
const frameBytes = 256;

/** The error for a large event when `$changeStreamSplitLargeEvent` is not used. */
export const tooLarge = (bytes: number): ServerError =>
  new ServerError(
    'BSONObjectTooLarge',
    `BSONObj size: ${bytes} (0x${bytes.toString(16).toUpperCase()}) is invalid. Size must be between 0 and ${maxEventBytes}(16MB)`,
    { errorLabels: ['NonResumableChangeStreamError'] },
  );

/**
 * Splits a large event into fragments of whole fields, smallest fields first. `token` creates the resume
 * token of each. Throws if a single field is too large.
 */
export function splitEvent(event: Doc, token: (fragment: number) => Doc, limit = maxEventBytes): Doc[] {
  const fields = Object.keys(event)
    .filter((name) => name !== '_id')
    .map((name) => ({ name, value: event[name], bytes: encode({ [name]: event[name] }).length }))
    .sort((a, b) => a.bytes - b.bytes);
  const parts: (typeof fields)[] = [[]];
  let room = limit - frameBytes;
  for (const field of fields) {
    if (field.bytes > limit - frameBytes) throw tooLarge(field.bytes);
    if (field.bytes > room) {
      parts.push([]);
      room = limit - frameBytes;
    }
    parts.at(-1)!.push(field);
    room -= field.bytes;
  }
  return parts.map((part, at) => {
    const fragment = newDoc();
    fragment['_id'] = token(at);
    fragment['splitEvent'] = { fragment: int(at + 1), of: int(parts.length) };
    for (const { name, value } of part) fragment[name] = value;
    return fragment;
  });
}
