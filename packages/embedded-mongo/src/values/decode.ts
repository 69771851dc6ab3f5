import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';
import { ServerError } from './errors.js';
import { fieldKey } from './names.js';
import { DbPointer, newDoc } from './types.js';
import type { Doc, Value } from './types.js';

/** MongoDB's limit on nesting depth, counting documents and arrays. */
export const MAX_DEPTH = 200;

const minKey = new MinKey();
const maxKey = new MaxKey();

const doubleBytes = new Uint8Array(8);
const doubleView = new Float64Array(doubleBytes.buffer);

export const invalidBson = (reason: string): ServerError =>
  new ServerError('InvalidBSON', `Invalid BSON: ${reason}`);

export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const readInt32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) |
  ((bytes[at + 1] ?? 0) << 8) |
  ((bytes[at + 2] ?? 0) << 16) |
  ((bytes[at + 3] ?? 0) << 24);

const readDouble = (bytes: Uint8Array, at: number): number => {
  for (let i = 0; i < 8; i++) doubleBytes[i] = bytes[at + i] ?? 0;
  return doubleView[0] ?? 0;
};

const objectIdBytes = Buffer.allocUnsafeSlow(12);

const readObjectId = (bytes: Uint8Array, at: number): ObjectId => {
  for (let i = 0; i < 12; i++) objectIdBytes[i] = bytes[at + i] ?? 0;
  return new ObjectId(objectIdBytes);
};

const NAME_SLOTS = 2048;
const knownNames: (string | undefined)[] = new Array<string | undefined>(NAME_SLOTS).fill(undefined);

const sameAscii = (text: string, bytes: Uint8Array, start: number): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
};

/**
 * Field names repeat across documents, so short ASCII names are looked up in a cache instead of being
 * created.
 */
const readName = (bytes: Buffer, start: number, end: number): string => {
  const length = end - start;
  const first = bytes[start] ?? 0;
  if (first >= 48 && first <= 57) return fieldKey(bytes.toString('utf8', start, end));
  if (length > 48) return bytes.toString('utf8', start, end);
  let hash = length;
  let high = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    high |= byte;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  if (high > 127) return bytes.toString('utf8', start, end);
  const slot = (hash ^ (hash >>> 11)) & (NAME_SLOTS - 1);
  const known = knownNames[slot];
  if (known !== undefined && known.length === length && sameAscii(known, bytes, start)) return known;
  return (knownNames[slot] = bytes.toString('latin1', start, end));
};

const readText = (bytes: Buffer, start: number, end: number): string => {
  if (end - start > 32) return bytes.toString('utf8', start, end);
  for (let i = start; i < end; i++) if ((bytes[i] ?? 0) > 127) return bytes.toString('utf8', start, end);
  return bytes.toString('latin1', start, end);
};

const endOfCString = (bytes: Uint8Array, at: number, end: number): number => {
  let i = at;
  while (i < end && bytes[i] !== 0) i++;
  if (i >= end) throw invalidBson('field name or string is not terminated');
  return i;
};

/** Position after the last value read. Decoding is synchronous and not re-entrant. */
let position = 0;

const need = (at: number, length: number, end: number): void => {
  if (at + length > end) throw invalidBson('value exceeds the document');
};

const readString = (bytes: Buffer, at: number, end: number): string => {
  need(at, 4, end);
  const length = readInt32(bytes, at);
  if (length < 1 || at + 4 + length > end || bytes[at + 3 + length] !== 0)
    throw invalidBson('bad string length');
  position = at + 4 + length;
  return readText(bytes, at + 4, position - 1);
};

const readBinary = (bytes: Buffer, at: number, end: number): Binary => {
  need(at, 5, end);
  const length = readInt32(bytes, at);
  const subtype = bytes[at + 4] ?? 0;
  let start = at + 5;
  if (length < 0 || start + length > end) throw invalidBson('bad binary length');
  position = start + length;
  if (subtype === Binary.SUBTYPE_BYTE_ARRAY) {
    if (length < 4 || readInt32(bytes, start) !== length - 4)
      throw invalidBson('bad length of binary subtype 2');
    start += 4;
  }
  return new Binary(Buffer.from(bytes.subarray(start, position)), subtype);
};

const readRegExp = (bytes: Buffer, at: number, end: number): BSONRegExp => {
  const patternEnd = endOfCString(bytes, at, end);
  const optionsEnd = endOfCString(bytes, patternEnd + 1, end);
  position = optionsEnd + 1;
  const options = bytes.toString('utf8', patternEnd + 1, optionsEnd);
  if (/[^ilmsux]/.test(options)) throw invalidBson(`bad regular expression options '${options}'`);
  return new BSONRegExp(bytes.toString('utf8', at, patternEnd), options);
};

const readScopedCode = (bytes: Buffer, at: number, end: number, depth: number): Code => {
  need(at, 4, end);
  const stop = at + readInt32(bytes, at);
  if (stop < at + 14 || stop > end) throw invalidBson('bad length of code with scope');
  const code = readString(bytes, at + 4, stop);
  const scope = readDoc(bytes, position, stop, depth);
  position = stop;
  return new Code(code, scope);
};

const readRareValue = (bytes: Buffer, type: number, at: number, end: number, depth: number): Value => {
  position = at;
  switch (type) {
    case 0x05:
      return readBinary(bytes, at, end);
    case 0x06:
      return undefined;
    case 0x0b:
      return readRegExp(bytes, at, end);
    case 0x0c: {
      const namespace = readString(bytes, at, end);
      need(position, 12, end);
      position += 12;
      return new DbPointer(namespace, readObjectId(bytes, position - 12));
    }
    case 0x0d:
      return new Code(readString(bytes, at, end));
    case 0x0e:
      return new BSONSymbol(readString(bytes, at, end));
    case 0x0f:
      return readScopedCode(bytes, at, end, depth);
    case 0x11:
      need(at, 8, end);
      position = at + 8;
      return new Timestamp({ i: readInt32(bytes, at) >>> 0, t: readInt32(bytes, at + 4) >>> 0 });
    case 0x13:
      need(at, 16, end);
      position = at + 16;
      return new Decimal128(Buffer.from(bytes.subarray(at, position)));
    case 0xff:
      return minKey;
    case 0x7f:
      return maxKey;
    default:
      throw invalidBson(`unknown type 0x${type.toString(16).padStart(2, '0')}`);
  }
};

export const readValue = (bytes: Buffer, type: number, at: number, end: number, depth: number): Value => {
  switch (type) {
    case 0x01:
      need(at, 8, end);
      position = at + 8;
      return new Double(readDouble(bytes, at));
    case 0x02:
      return readString(bytes, at, end);
    case 0x03:
      return readDoc(bytes, at, end, depth);
    case 0x04:
      return readArray(bytes, at, end, depth);
    case 0x07:
      need(at, 12, end);
      position = at + 12;
      return readObjectId(bytes, at);
    case 0x08:
      need(at, 1, end);
      position = at + 1;
      return bytes[at] === 1;
    case 0x09:
      need(at, 8, end);
      position = at + 8;
      return new Date(readInt32(bytes, at + 4) * 4294967296 + (readInt32(bytes, at) >>> 0));
    case 0x0a:
      position = at;
      return null;
    case 0x10:
      need(at, 4, end);
      position = at + 4;
      return new Int32(readInt32(bytes, at));
    case 0x12:
      need(at, 8, end);
      position = at + 8;
      return new Long(readInt32(bytes, at), readInt32(bytes, at + 4));
    default:
      return readRareValue(bytes, type, at, end, depth);
  }
};

/** Checks the length and terminator of the document or array at `at`. Returns its end position. */
const frame = (bytes: Uint8Array, at: number, end: number, depth: number): number => {
  if (depth >= MAX_DEPTH) {
    throw new ServerError('Overflow', `BSONObj exceeded maximum nested object depth: ${MAX_DEPTH}`);
  }
  need(at, 5, end);
  const stop = at + readInt32(bytes, at);
  if (stop < at + 5 || stop > end) throw invalidBson('bad document length');
  if (bytes[stop - 1] !== 0) throw invalidBson('document is not terminated');
  return stop;
};

function readDoc(bytes: Buffer, at: number, end: number, depth: number): Doc {
  const stop = frame(bytes, at, end, depth);
  const last = stop - 1;
  const doc = newDoc();
  let i = at + 4;
  while (i < last) {
    const type = bytes[i] ?? 0;
    const nameEnd = endOfCString(bytes, i + 1, last);
    const name = readName(bytes, i + 1, nameEnd);
    doc[name] = readValue(bytes, type, nameEnd + 1, last, depth + 1);
    i = position;
  }
  position = stop;
  return doc;
}

function readArray(bytes: Buffer, at: number, end: number, depth: number): Value[] {
  const stop = frame(bytes, at, end, depth);
  const last = stop - 1;
  const values: Value[] = [];
  let i = at + 4;
  while (i < last) {
    const type = bytes[i] ?? 0;
    const nameEnd = endOfCString(bytes, i + 1, last);
    values.push(readValue(bytes, type, nameEnd + 1, last, depth + 1));
    i = position;
  }
  position = stop;
  return values;
}

/** Decodes the document that starts at `start` and must end at `end`. */
export const decodeRange = (bytes: Uint8Array, start: number, end: number): Doc => {
  const doc = readDoc(asBuffer(bytes), start, end, 0);
  if (position !== end) throw invalidBson('document length does not match its bytes');
  return doc;
};

/** Decodes one document that takes up all of `bytes`. Throws InvalidBSON (22) for malformed bytes. */
export const decode = (bytes: Uint8Array): Doc => decodeRange(bytes, 0, bytes.length);
