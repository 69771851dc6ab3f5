import { createHash, type Hash } from 'node:crypto';
import { Long } from 'bson';
import { encode } from './encode.js';
import { fieldName } from './names.js';
import { truncate } from './numbers.js';
import { BsonType, isNumeric, toNumber, typeNumber } from './types.js';
import type { Doc, NumericValue, Value } from './types.js';

/** MongoDB's canonical types: what compares as one class has one number. */
const canonicalTypes: Partial<Record<number, number>> = {
  [BsonType.minKey]: -1,
  [BsonType.undefined]: 0,
  [BsonType.null]: 5,
  [BsonType.double]: 10,
  [BsonType.int]: 10,
  [BsonType.long]: 10,
  [BsonType.decimal]: 10,
  [BsonType.string]: 15,
  [BsonType.symbol]: 15,
  [BsonType.object]: 20,
  [BsonType.array]: 25,
  [BsonType.binData]: 30,
  [BsonType.objectId]: 35,
  [BsonType.bool]: 40,
  [BsonType.date]: 45,
  [BsonType.timestamp]: 47,
  [BsonType.regex]: 50,
  [BsonType.dbPointer]: 55,
  [BsonType.javascript]: 60,
  [BsonType.javascriptWithScope]: 65,
  [BsonType.maxKey]: 127,
};

const minInt64 = -(2n ** 63n);
const maxInt64 = 2n ** 63n - 1n;

/** Numbers are hashed as 64-bit integers, cut toward zero and kept in range; NaN as 0. */
const wholeOf = (value: NumericValue): bigint => {
  const whole = truncate(value);
  if (whole !== undefined) return whole < minInt64 ? minInt64 : whole > maxInt64 ? maxInt64 : whole;
  const number = toNumber(value);
  return Number.isNaN(number) ? 0n : number > 0 ? maxInt64 : minInt64;
};

const add = (hash: Hash, value: Value, name: string | undefined): void => {
  const type = typeNumber(value);
  const head = Buffer.alloc(4);
  head.writeInt32LE(canonicalTypes[type] ?? 20);
  hash.update(head);
  if (name !== undefined) hash.update(`${name}\0`);
  if (type === BsonType.object || type === BsonType.array) {
    for (const key of Object.keys(value as Doc)) add(hash, (value as Doc)[key], fieldName(key));
    hash.update(Buffer.alloc(4));
  } else if (isNumeric(value)) {
    const whole = Buffer.alloc(8);
    whole.writeBigInt64LE(wholeOf(value));
    hash.update(whole);
  } else if (value !== undefined) {
    // The value's own bytes: after the length, the type and the empty name, before the end of the document.
    hash.update(encode({ '': value }).subarray(6, -1));
  }
};

/** The key that a hashed index has of a value: the first half of an MD5 over its canonical form. */
export const hashedKey = (value: Value): Long => {
  const hash = createHash('md5').update(Buffer.alloc(4));
  add(hash, value, undefined);
  return Long.fromBigInt(hash.digest().readBigInt64LE(0));
};
