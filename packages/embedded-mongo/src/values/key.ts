import type { Binary, BSONRegExp, BSONSymbol, Code, ObjectId, Timestamp } from 'bson';
import { Decimal128, Double, Int32, Long } from 'bson';
import type { Collation } from './collation.js';
import { binaryLength, bracket, Bracket } from './compare.js';
import { absolute, compareExact, digitCount, exactOfDouble } from './decimal.js';
import type { Exact } from './decimal.js';
import { isNaNValue, toExact } from './numbers.js';
import { fieldName } from './names.js';
import { toNumber } from './types.js';
import type { DbPointer, Doc, NumericValue, Value } from './types.js';

export type Direction = 1 | -1;

let buffer = Buffer.allocUnsafeSlow(4096);
let at = 0;

const doubleView = new DataView(new ArrayBuffer(8));

const reserve = (length: number): void => {
  if (at + length <= buffer.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, at + length));
  buffer.copy(larger, 0, 0, at);
  buffer = larger;
};

const putByte = (byte: number): void => {
  reserve(1);
  buffer[at++] = byte;
};

const putUint32 = (value: number): void => {
  reserve(4);
  at = buffer.writeUInt32BE(value >>> 0, at);
};

const putBytes = (bytes: Uint8Array): void => {
  reserve(bytes.length);
  buffer.set(bytes, at);
  at += bytes.length;
};

/**
 * UTF-8 with 00 encoded as 00 FF and terminated by 00 00. No text is a prefix of another, and the order is
 * kept.
 */
const putText = (text: string): void => {
  reserve(text.length * 3 + 2);
  const length = text.length;
  let i = 0;
  for (; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 127) break;
    buffer[at++] = code;
  }
  if (i < length) {
    for (const byte of Buffer.from(text.slice(i), 'utf8')) {
      reserve(4);
      buffer[at++] = byte;
      if (byte === 0) buffer[at++] = 0xff;
    }
  }
  reserve(2);
  buffer[at++] = 0;
  buffer[at++] = 0;
};

/** Eight bytes that sort in the order of doubles. -0 is written as 0. */
const putDoubleBits = (value: number): void => {
  doubleView.setFloat64(0, value === 0 ? 0 : value);
  let high = doubleView.getUint32(0);
  let low = doubleView.getUint32(4);
  if (high & 0x80000000) {
    high = ~high;
    low = ~low;
  } else {
    high |= 0x80000000;
  }
  putUint32(high);
  putUint32(low);
};

const previousDouble = (value: number): number => {
  if (value === 0) return -Number.MIN_VALUE;
  if (value === Infinity) return Number.MAX_VALUE;
  doubleView.setFloat64(0, value);
  const bits = doubleView.getBigInt64(0);
  doubleView.setBigInt64(0, value > 0 ? bits - 1n : bits + 1n);
  return doubleView.getFloat64(0);
};

/** The largest double less than or equal to the number, or -Infinity below all finite doubles. */
const floorDouble = (exact: Exact, nearest: number): number => {
  if (nearest === -Infinity) return nearest;
  if (nearest === Infinity) return Number.MAX_VALUE;
  return compareExact(exactOfDouble(nearest), exact) > 0 ? previousDouble(nearest) : nearest;
};

/**
 * Writes the digits of a number that no double equals: sign, magnitude, digits. They follow the next lower
 * double and determine the order.
 */
const putDigits = (exact: Exact): void => {
  const digits = absolute(exact.coefficient).toString().replace(/0+$/, '');
  const size = digitCount(exact.coefficient) + exact.exponent + 0x8000;
  const start = at;
  reserve(digits.length + 3);
  at = buffer.writeUInt16BE(size, at);
  at += buffer.write(digits, at, 'latin1');
  buffer[at++] = 0;
  if (exact.coefficient < 0n) for (let i = start; i < at; i++) buffer[i] = ~(buffer[i] ?? 0);
};

const putExact = (exact: Exact, nearest: number): void => {
  const floor = floorDouble(exact, nearest);
  putDoubleBits(floor);
  if (Number.isFinite(floor) && compareExact(exactOfDouble(floor), exact) === 0) return putByte(0);
  putByte(1);
  putDigits(exact);
};

const putNumber = (value: NumericValue): void => {
  if (value instanceof Int32 || value instanceof Double || typeof value === 'number') {
    const number = typeof value === 'number' ? value : value.value;
    if (Number.isNaN(number)) return putNaN();
    putDoubleBits(number);
    return putByte(0);
  }
  if (value instanceof Long && value.high < 0x200000 && value.high >= -0x200000) {
    putDoubleBits(value.high * 4294967296 + (value.low >>> 0));
    return putByte(0);
  }
  if (value instanceof Decimal128 && isNaNValue(value)) return putNaN();
  const exact = toExact(value);
  if (exact) return putExact(exact, toNumber(value));
  putDoubleBits(toNumber(value));
  putByte(0);
};

/** Sorts before -Infinity, whose bits start with 00 0F. */
const putNaN = (): void => {
  putUint32(0);
  putUint32(0);
  putByte(0);
};

const putDate = (time: number): void => {
  const high = Math.floor(time / 4294967296);
  putUint32(high ^ 0x80000000);
  putUint32(time - high * 4294967296);
};

const putBinary = (value: Binary): void => {
  putUint32(binaryLength(value));
  putByte(value.sub_type);
  putBytes(value.buffer.subarray(0, value.position));
};

const putDoc = (doc: Doc, collation?: Collation): void => {
  for (const name of Object.keys(doc)) {
    const value = doc[name];
    const kind = bracket(value);
    putByte(kind);
    putText(fieldName(name));
    putPayload(kind, value, collation);
  }
  putByte(0);
};

const putArray = (values: Value[], collation?: Collation): void => {
  for (const value of values) putValue(value, collation);
  putByte(0);
};

const putRarePayload = (kind: number, value: Value, collation?: Collation): void => {
  switch (kind) {
    case Bracket.timestamp:
      putUint32((value as Timestamp).t);
      return putUint32((value as Timestamp).i);
    case Bracket.regex:
      putText((value as BSONRegExp).pattern);
      return putText((value as BSONRegExp).options);
    case Bracket.dbPointer:
      putText((value as DbPointer).namespace);
      return putBytes((value as DbPointer).oid.id);
    case Bracket.javascript:
      return putText((value as Code).code);
    case Bracket.javascriptWithScope:
      putText((value as Code).code);
      return putDoc((value as Code).scope as Doc, collation);
    default:
      return;
  }
};

function putPayload(kind: number, value: Value, collation?: Collation): void {
  switch (kind) {
    case Bracket.number:
      return putNumber(value as NumericValue);
    case Bracket.string: {
      const text = typeof value === 'string' ? value : (value as BSONSymbol).value;
      return putText(collation ? collation.key(text) : text);
    }
    case Bracket.object:
      return putDoc(value as Doc, collation);
    case Bracket.array:
      return putArray(value as Value[], collation);
    case Bracket.binData:
      return putBinary(value as Binary);
    case Bracket.objectId:
      return putBytes((value as ObjectId).id);
    case Bracket.bool:
      return putByte(value ? 1 : 0);
    case Bracket.date:
      return putDate((value as Date).getTime());
    default:
      return putRarePayload(kind, value, collation);
  }
}

function putValue(value: Value, collation?: Collation): void {
  const kind = bracket(value);
  putByte(kind);
  putPayload(kind, value, collation);
}

/**
 * Encodes values as bytes that sort in the order of `compareValues`, field by field, each in its direction.
 * Equal numbers of different types have equal bytes. Every field is self-delimiting, so the key of fewer
 * values is a prefix of the key of more. `directions` may be longer than `values`.
 */
export const encodeKey = (
  values: readonly Value[],
  directions: readonly Direction[],
  collation?: Collation,
): Uint8Array => {
  at = 0;
  for (let i = 0; i < values.length; i++) {
    const start = at;
    putValue(values[i], collation);
    if (directions[i] === -1) for (let j = start; j < at; j++) buffer[j] = ~(buffer[j] ?? 0);
  }
  const key = Buffer.allocUnsafe(at);
  buffer.copy(key, 0, 0, at);
  return key;
};

/** The smallest key greater than every key that starts with `prefix`. */
export const keyUpperBound = (prefix: Uint8Array): Uint8Array => {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return Buffer.alloc(prefix.length + 1, 0xff);
  const bound = Buffer.from(prefix.subarray(0, end));
  bound[end - 1] = (bound[end - 1] ?? 0) + 1;
  return bound;
};

/**
 * The range [low, high) of keys that start with `prefix` and whose next field has the type class of `value`.
 * Used for comparisons, which match only values of the operand's class.
 */
export const bracketBounds = (
  prefix: Uint8Array,
  value: Value,
  direction: Direction,
): { low: Uint8Array; high: Uint8Array } => {
  const kind = bracket(value);
  const low = Buffer.concat([prefix, Uint8Array.of(direction === 1 ? kind : ~kind & 0xff)]);
  return { low, high: keyUpperBound(low) };
};
