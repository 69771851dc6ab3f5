import type { ObjectId } from 'bson';
import { fieldName } from './names.js';
import { asBuffer, invalidBson, readInt32, readValue } from './decode.js';
import type { Value } from './types.js';

/** An element in a document's bytes: its type byte, the start of its name, and the range of its value. */
interface RawElement {
  type: number;
  element: number;
  start: number;
  end: number;
}

const fixedSizes: Partial<Record<number, number>> = {
  0x01: 8,
  0x06: 0,
  0x07: 12,
  0x08: 1,
  0x09: 8,
  0x0a: 0,
  0x10: 4,
  0x11: 8,
  0x12: 8,
  0x13: 16,
  0x7f: 0,
  0xff: 0,
};

const endOfName = (bytes: Uint8Array, at: number, end: number): number => {
  let i = at;
  while (i < end && bytes[i] !== 0) i++;
  if (i >= end) throw invalidBson('field name or string is not terminated');
  return i;
};

const endOfValue = (bytes: Uint8Array, type: number, at: number, end: number): number => {
  const fixed = fixedSizes[type];
  let stop: number;
  if (fixed !== undefined) stop = at + fixed;
  else if (type === 0x02 || type === 0x0d || type === 0x0e) stop = at + 4 + readInt32(bytes, at);
  else if (type === 0x03 || type === 0x04 || type === 0x0f) stop = at + readInt32(bytes, at);
  else if (type === 0x05) stop = at + 5 + readInt32(bytes, at);
  else if (type === 0x0c) stop = at + 16 + readInt32(bytes, at);
  else if (type === 0x0b) stop = endOfName(bytes, endOfName(bytes, at, end) + 1, end) + 1;
  else throw invalidBson(`unknown type 0x${type.toString(16).padStart(2, '0')}`);
  if (stop < at || stop > end) throw invalidBson('value exceeds the document');
  return stop;
};

const checkFrame = (bytes: Uint8Array): number => {
  const size = bytes.length < 5 ? -1 : readInt32(bytes, 0);
  if (size !== bytes.length || bytes[size - 1] !== 0)
    throw invalidBson('document length does not match its bytes');
  return size - 1;
};

const nameIs = (bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean => {
  if (end - at !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false;
  return true;
};

const nameBytes = new Map<string, Uint8Array>();

const bytesOfName = (name: string): Uint8Array => {
  let bytes = nameBytes.get(name);
  if (!bytes) {
    bytes = Buffer.from(fieldName(name), 'utf8');
    if (nameBytes.size < 1000) nameBytes.set(name, bytes);
  }
  return bytes;
};

const findElement = (bytes: Uint8Array, name: string): RawElement | undefined => {
  const last = checkFrame(bytes);
  const wanted = bytesOfName(name);
  let i = 4;
  while (i < last) {
    const type = bytes[i] ?? 0;
    const nameEnd = endOfName(bytes, i + 1, last);
    const end = endOfValue(bytes, type, nameEnd + 1, last);
    if (nameIs(bytes, i + 1, nameEnd, wanted)) return { type, element: i, start: nameEnd + 1, end };
    i = end;
  }
  return undefined;
};

/** Reads one top-level field without decoding the others. Returns undefined if it is missing. */
export const readField = (bytes: Uint8Array, name: string): Value | undefined => {
  const found = findElement(bytes, name);
  return found && readValue(asBuffer(bytes), found.type, found.start, found.end, 1);
};

/** Bytes of a top-level embedded document or array. Undefined if it is missing. */
export const rawField = (bytes: Uint8Array, name: string): Uint8Array | undefined => {
  const found = findElement(bytes, name);
  return found && (found.type === 0x03 || found.type === 0x04)
    ? bytes.subarray(found.start, found.end)
    : undefined;
};

/** Bytes of each document in a top-level array of documents. Undefined if the field is not an array. */
export const rawArray = (bytes: Uint8Array, name: string): Uint8Array[] | undefined => {
  const found = findElement(bytes, name);
  if (found?.type !== 0x04) return undefined;
  const docs: Uint8Array[] = [];
  const last = found.end - 1;
  let i = found.start + 4;
  while (i < last) {
    const type = bytes[i] ?? 0;
    const start = endOfName(bytes, i + 1, last) + 1;
    const end = endOfValue(bytes, type, start, last);
    if (type !== 0x03) throw invalidBson(`'${name}' must contain only documents`);
    docs.push(bytes.subarray(start, end));
    i = end;
  }
  return docs;
};

/** Names of the top-level fields, in order. */
export const fieldNames = (bytes: Uint8Array): string[] => {
  const last = checkFrame(bytes);
  const names: string[] = [];
  let i = 4;
  while (i < last) {
    const nameEnd = endOfName(bytes, i + 1, last);
    names.push(asBuffer(bytes).toString('utf8', i + 1, nameEnd));
    i = endOfValue(bytes, bytes[i] ?? 0, nameEnd + 1, last);
  }
  return names;
};

/**
 * Returns the document with `_id` as its first field: unchanged if possible, otherwise as a copy. `makeId`
 * creates a missing `_id`.
 */
export const withIdFirst = (bytes: Uint8Array, makeId: () => ObjectId): Uint8Array => {
  if (bytes[5] === 0x5f && bytes[6] === 0x69 && bytes[7] === 0x64 && bytes[8] === 0) {
    checkFrame(bytes);
    return bytes;
  }
  const found = findElement(bytes, '_id');
  if (!found) {
    const made = Buffer.allocUnsafe(bytes.length + 17);
    made.writeInt32LE(made.length, 0);
    made.set([0x07, 0x5f, 0x69, 0x64, 0], 4);
    made.set(makeId().id, 9);
    made.set(bytes.subarray(4), 21);
    return made;
  }
  const moved = Buffer.allocUnsafe(bytes.length);
  const size = found.end - found.element;
  moved.set(bytes.subarray(0, 4), 0);
  moved.set(bytes.subarray(found.element, found.end), 4);
  moved.set(bytes.subarray(4, found.element), 4 + size);
  moved.set(bytes.subarray(found.end), found.end);
  return moved;
};

/** Creates a document with only the `_id` of another one, or an empty document if it has none. */
export const idDocument = (bytes: Uint8Array): Uint8Array => {
  const found = findElement(bytes, '_id');
  const size = found ? found.end - found.element : 0;
  const made = Buffer.alloc(size + 5);
  made.writeInt32LE(made.length, 0);
  if (found) made.set(bytes.subarray(found.element, found.end), 4);
  return made;
};

/** Size of a document in bytes, read from its first four bytes. */
export const docSize = (bytes: Uint8Array): number => readInt32(bytes, 0);
