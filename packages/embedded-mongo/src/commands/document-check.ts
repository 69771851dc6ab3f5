import { ServerError } from '../values/errors.js';

const invalid = (message: string): ServerError => new ServerError(22, message, { codeName: 'InvalidBSON' });
const maxDepth = 180;

/**
 * Fixed value sizes by BSON type. -1 marks types of variable length. Types that are not listed do not exist.
 */
const sizes: readonly (number | undefined)[] = (() => {
  const table: (number | undefined)[] = new Array<number | undefined>(256).fill(undefined);
  for (const type of [0x06, 0x0a, 0xff, 0x7f]) table[type] = 0;
  table[0x08] = 1;
  table[0x10] = 4;
  for (const type of [0x01, 0x09, 0x11, 0x12]) table[type] = 8;
  table[0x07] = 12;
  table[0x13] = 16;
  for (const type of [0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f]) table[type] = -1;
  return table;
})();

/**
 * Checks the structure of a document: lengths, types, terminators and nesting depth. Throws InvalidBSON (22),
 * so that malformed documents are never stored.
 */
export function checkDocument(bytes: Uint8Array): void {
  const end = walk(bytes, 0, bytes.length, 0);
  if (end !== bytes.length) throw invalid('a document has bytes after its end');
}

const int32At = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

function walk(bytes: Uint8Array, start: number, limit: number, depth: number): number {
  if (depth > maxDepth) throw new ServerError(15, `documents may nest ${maxDepth} levels deep at most`);
  const length = start + 5 <= limit ? int32At(bytes, start) : -1;
  const end = start + length;
  if (length < 5 || end > limit || bytes[end - 1] !== 0) throw invalid('a document has a wrong length');
  let at = start + 4;
  while (at < end - 1) {
    const type = bytes[at]!;
    at = afterZero(bytes, at + 1, end);
    const size = sizes[type];
    if (size === undefined) throw invalid(`unknown BSON type ${type}`);
    at = size >= 0 ? at + size : afterValue(bytes, type, at, end, depth);
    if (at > end - 1) throw invalid('a value is longer than its document');
  }
  return end;
}

function afterZero(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end - 1 && bytes[at] !== 0) at += 1;
  if (at >= end - 1) throw invalid('a name has no end');
  return at + 1;
}

function afterValue(bytes: Uint8Array, type: number, at: number, end: number, depth: number): number {
  if (type === 0x03 || type === 0x04) return walk(bytes, at, end - 1, depth + 1);
  if (type === 0x0b) return afterZero(bytes, afterZero(bytes, at, end), end);
  if (at + 4 > end) throw invalid('a value is truncated');
  const length = int32At(bytes, at);
  if (type === 0x05) {
    if (length < 0) throw invalid('binary data has a negative length');
    return at + 5 + length;
  }
  if (type === 0x0f) {
    if (length < 14) throw invalid('code with scope has a wrong length');
    return at + length;
  }
  if (length < 1 || at + 4 + length > end - 1 || bytes[at + 3 + length] !== 0)
    throw invalid('a string has a wrong length');
  return at + 4 + length + (type === 0x0c ? 12 : 0);
}
