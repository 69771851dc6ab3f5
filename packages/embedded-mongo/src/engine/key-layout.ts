import { createHash } from 'node:crypto';

/**
 * The keys of the single LMDB database. Numbers are big-endian, so that keys sort in numeric order.
 *
 * - `00 name`: facts about the store
 * - `01 db.collection`: catalog row
 * - `02 collection(u32) record(u64)`: document
 * - `03 collection(u32) index(u32) key [record(u64)]`: index entry; a unique index stores the record id as
 *   the value instead
 * - `04 lsid`: retry record
 * - `05 collection(u32)`: counters of documents and bytes
 * - `06 collection(u32) index(u32)`: range that is still to be deleted (index 0: the whole collection)
 */
export const KeySpace = {
  fact: 0,
  catalog: 1,
  document: 2,
  index: 3,
  retry: 4,
  counters: 5,
  garbage: 6,
} as const;

/** LMDB's limit is 1,978 bytes. The prefix takes 9 of them and the record id 8. */
export const MAX_ENCODED_KEY = 1_978 - 17;
const HASH_BYTES = 16;
const CUT_BYTES = MAX_ENCODED_KEY - HASH_BYTES;

export const EMPTY = new Uint8Array(0);

export const textKey = (space: number, text: string): Uint8Array => {
  const bytes = Buffer.from(text, 'utf8');
  const key = new Uint8Array(1 + bytes.length);
  key[0] = space;
  key.set(bytes, 1);
  return key;
};

export const writeU32 = (target: Uint8Array, offset: number, value: number): void => {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
};

export const readU32 = (source: Uint8Array, offset: number): number =>
  source[offset]! * 0x1000000 +
  ((source[offset + 1]! << 16) | (source[offset + 2]! << 8) | source[offset + 3]!);

/** Writes a record id or counter, a safe integer, in eight bytes. */
export const writeU64 = (target: Uint8Array, offset: number, value: number): void => {
  writeU32(target, offset, Math.floor(value / 0x1_0000_0000));
  writeU32(target, offset + 4, value % 0x1_0000_0000);
};

export const readU64 = (source: Uint8Array, offset: number): number =>
  readU32(source, offset) * 0x1_0000_0000 + readU32(source, offset + 4);

export const u64 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  writeU64(bytes, 0, value);
  return bytes;
};

const collectionKey = (space: number, collectionId: number, length: number): Uint8Array => {
  const key = new Uint8Array(length);
  key[0] = space;
  writeU32(key, 1, collectionId);
  return key;
};

export const documentPrefix = (collectionId: number): Uint8Array =>
  collectionKey(KeySpace.document, collectionId, 5);

export const documentKey = (collectionId: number, recordId: number): Uint8Array => {
  const key = collectionKey(KeySpace.document, collectionId, 13);
  writeU64(key, 5, recordId);
  return key;
};

export const recordIdOfDocumentKey = (key: Uint8Array): number => readU64(key, 5);

export const countersKey = (collectionId: number): Uint8Array =>
  collectionKey(KeySpace.counters, collectionId, 5);

export const indexPrefix = (collectionId: number, indexId: number): Uint8Array => {
  const key = collectionKey(KeySpace.index, collectionId, 9);
  writeU32(key, 5, indexId);
  return key;
};

export const garbageKey = (collectionId: number, indexId: number): Uint8Array => {
  const key = collectionKey(KeySpace.garbage, collectionId, 9);
  writeU32(key, 5, indexId);
  return key;
};

/**
 * Whether the encoded key exceeds the limit and is truncated when stored, which loses its order beyond that
 * point.
 */
export const isCut = (encoded: Uint8Array): boolean => encoded.length > MAX_ENCODED_KEY;

/**
 * Returns the key as it is stored: unchanged, or truncated and followed by a hash of the whole key, so that
 * equality is kept.
 */
export const storedKey = (encoded: Uint8Array): Uint8Array => {
  if (!isCut(encoded)) return encoded;
  const key = new Uint8Array(MAX_ENCODED_KEY);
  key.set(encoded.subarray(0, CUT_BYTES));
  key.set(createHash('sha256').update(encoded).digest().subarray(0, HASH_BYTES), CUT_BYTES);
  return key;
};

/**
 * Shortens a long bound to the part that truncated keys preserve, so that an inclusive lower or exclusive upper
 * bound does not exclude truncated keys.
 */
export const lowerBoundKey = (encoded: Uint8Array): Uint8Array =>
  encoded.length > CUT_BYTES ? encoded.subarray(0, CUT_BYTES) : encoded;

export const upperBoundKey = (encoded: Uint8Array): Uint8Array =>
  encoded.length > CUT_BYTES ? prefixEnd(encoded.subarray(0, CUT_BYTES)) : encoded;

export const concatKey = (prefix: Uint8Array, rest: Uint8Array): Uint8Array => {
  const key = new Uint8Array(prefix.length + rest.length);
  key.set(prefix);
  key.set(rest, prefix.length);
  return key;
};

export const withRecordId = (key: Uint8Array, recordId: number): Uint8Array => {
  const entry = new Uint8Array(key.length + 8);
  entry.set(key);
  writeU64(entry, key.length, recordId);
  return entry;
};

export const recordIdOfEntry = (key: Uint8Array): number => readU64(key, key.length - 8);

/** The first key after all keys that begin with `prefix`. */
export const prefixEnd = (prefix: Uint8Array): Uint8Array => {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  // Buffer's own slice would share its bytes with the prefix.
  const end = new Uint8Array(prefix.subarray(0, length));
  end[length - 1]! += 1;
  return end;
};

/** The first key after `key`. */
export const successor = (key: Uint8Array): Uint8Array => concatKey(key, new Uint8Array(1));

export const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice: (this: Uint8Array, start: number, end: number) => string;
};

/** Converts a key to a string for use in a map. The strings sort in the same order as the keys. */
export const keyText = (key: Uint8Array): string => latin1Slice.call(key, 0, key.length);

export const keyOfText = (text: string): Uint8Array => Buffer.from(text, 'latin1');
