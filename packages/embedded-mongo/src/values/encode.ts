import type {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  ObjectId,
  Timestamp,
} from 'bson';
import { MAX_DEPTH } from './decode.js';
import { ServerError } from './errors.js';
import { fieldName } from './names.js';
import { BsonType, isInt32Number, typeNumber } from './types.js';
import type { DbPointer, Doc, Value } from './types.js';

/** A document's BSON bytes, which are copied unchanged into the enclosing document. */
export class RawDoc {
  constructor(readonly bytes: Uint8Array) {}
}

/** Input of `encode`: any value, raw documents, and byte arrays (as binary subtype 0). */
export type Encodable = Value | RawDoc | Uint8Array | readonly Encodable[] | EncodableDoc;

export interface EncodableDoc {
  [field: string]: Encodable;
}

let buffer = Buffer.allocUnsafeSlow(64 * 1024);
let at = 0;

const reserve = (length: number): void => {
  if (at + length <= buffer.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, at + length));
  buffer.copy(larger, 0, 0, at);
  buffer = larger;
};

const writeCString = (text: string): void => {
  reserve(text.length * 3 + 1);
  const length = text.length;
  if (length < 32) {
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0)
        throw new ServerError('BadValue', 'BSON field names and patterns cannot contain null bytes');
      if (code > 127) {
        at += buffer.write(text, at, 'utf8');
        buffer[at++] = 0;
        return;
      }
      buffer[at + i] = code;
    }
    at += length;
  } else {
    if (text.includes('\0'))
      throw new ServerError('BadValue', 'BSON field names and patterns cannot contain null bytes');
    at += buffer.write(text, at, 'utf8');
  }
  buffer[at++] = 0;
};

const setInt32 = (value: number, where: number): void => {
  buffer[where] = value;
  buffer[where + 1] = value >>> 8;
  buffer[where + 2] = value >>> 16;
  buffer[where + 3] = value >>> 24;
};

const writeInt32 = (value: number): void => {
  reserve(4);
  setInt32(value, at);
  at += 4;
};

/** Copies ASCII text. Returns false and writes nothing if the text contains other characters. */
const writeAscii = (text: string, start: number): boolean => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return false;
    buffer[start + i] = code;
  }
  return true;
};

const writeString = (text: string): void => {
  reserve(text.length * 3 + 5);
  const start = at;
  at += 4;
  if (text.length < 64 && writeAscii(text, at)) at += text.length;
  else at += buffer.write(text, at, 'utf8');
  buffer[at++] = 0;
  setInt32(at - start - 4, start);
};

const writeInt64 = (low: number, high: number): void => {
  writeInt32(low);
  writeInt32(high);
};

const writeBytes = (bytes: Uint8Array): void => {
  reserve(bytes.length);
  buffer.set(bytes, at);
  at += bytes.length;
};

const writeDouble = (value: number): void => {
  reserve(8);
  at = buffer.writeDoubleLE(value, at);
};

const writeDate = (date: Date): void => {
  const time = date.getTime();
  if (Number.isNaN(time)) throw new ServerError('BadValue', 'Cannot store an invalid date');
  const high = Math.floor(time / 4294967296);
  writeInt64(time - high * 4294967296, high);
};

const writeBinary = (binary: Binary): void => {
  const bytes = binary.buffer.subarray(0, binary.position);
  const old = binary.sub_type === 2;
  writeInt32(bytes.length + (old ? 4 : 0));
  reserve(1);
  buffer[at++] = binary.sub_type;
  if (old) writeInt32(bytes.length);
  writeBytes(bytes);
};

const writeScopedCode = (code: Code, depth: number): void => {
  const start = at;
  writeInt32(0);
  writeString(code.code);
  writeDoc(code.scope ?? {}, depth);
  setInt32(at - start, start);
};

/** The type byte of an element. */
const typeByte = (type: number): number => (type === BsonType.minKey ? 0xff : type);

const writePayload = (type: number, value: Value, depth: number): void => {
  switch (type) {
    case BsonType.double:
      return writeDouble(typeof value === 'number' ? value : (value as Double).value);
    case BsonType.string:
      return writeString(value as string);
    case BsonType.object:
      return writeDoc(value as Doc, depth);
    case BsonType.array:
      return writeArray(value as Value[], depth);
    case BsonType.binData:
      return writeBinary(value as Binary);
    case BsonType.objectId:
      return writeBytes((value as ObjectId).id);
    case BsonType.bool:
      reserve(1);
      buffer[at++] = value ? 1 : 0;
      return;
    case BsonType.date:
      return writeDate(value as Date);
    case BsonType.int:
      return writeInt32(typeof value === 'number' ? value : (value as Int32).value);
    case BsonType.long:
      if (typeof value === 'bigint') {
        reserve(8);
        at = buffer.writeBigInt64LE(BigInt.asIntN(64, value), at);
        return;
      }
      return writeInt64((value as Long).low, (value as Long).high);
    default:
      return writeRarePayload(type, value, depth);
  }
};

const writeRarePayload = (type: number, value: Value, depth: number): void => {
  switch (type) {
    case BsonType.regex:
      writeCString((value as BSONRegExp).pattern);
      return writeCString((value as BSONRegExp).options);
    case BsonType.dbPointer:
      writeString((value as DbPointer).namespace);
      return writeBytes((value as DbPointer).oid.id);
    case BsonType.javascript:
      return writeString((value as Code).code);
    case BsonType.symbol:
      return writeString((value as BSONSymbol).value);
    case BsonType.javascriptWithScope:
      return writeScopedCode(value as Code, depth);
    case BsonType.timestamp:
      return writeInt64((value as Timestamp).low, (value as Timestamp).high);
    case BsonType.decimal:
      return writeBytes((value as Decimal128).bytes);
    default:
      return;
  }
};

const writeElement = (name: string, value: Encodable, depth: number): void => {
  reserve(1);
  const typeAt = at++;
  writeCString(name);
  if (value instanceof RawDoc) {
    buffer[typeAt] = BsonType.object;
    return writeBytes(value.bytes);
  }
  if (value instanceof Uint8Array) {
    buffer[typeAt] = BsonType.binData;
    writeInt32(value.length);
    reserve(1);
    buffer[at++] = 0;
    return writeBytes(value);
  }
  const plain = value as Value;
  const type =
    typeof plain === 'number' ? (isInt32Number(plain) ? BsonType.int : BsonType.double) : typeNumber(plain);
  buffer[typeAt] = typeByte(type);
  writePayload(type, plain, depth);
};

const close = (start: number): void => {
  reserve(1);
  buffer[at++] = 0;
  setInt32(at - start, start);
};

const enter = (depth: number): number => {
  if (depth >= MAX_DEPTH) {
    throw new ServerError('Overflow', `BSONObj exceeded maximum nested object depth: ${MAX_DEPTH}`);
  }
  reserve(5);
  const start = at;
  at += 4;
  return start;
};

function writeDoc(doc: EncodableDoc, depth: number): void {
  const start = enter(depth);
  for (const name of Object.keys(doc)) {
    const value = doc[name];
    if (value !== undefined)
      writeElement(name.charCodeAt(0) === 0 ? fieldName(name) : name, value, depth + 1);
  }
  close(start);
}

function writeArray(values: readonly Encodable[], depth: number): void {
  const start = enter(depth);
  for (let i = 0; i < values.length; i++)
    writeElement(i < 1000 ? (indexNames[i] ?? '') : String(i), values[i], depth + 1);
  close(start);
}

const indexNames = Array.from({ length: 1000 }, (_, index) => String(index));

/**
 * Encodes a document as BSON. Fields with the value `undefined` are omitted. A plain number becomes Int32 if
 * it is integral and in range, otherwise Double. A bigint becomes Long.
 */
export const encode = (doc: EncodableDoc): Uint8Array => {
  at = 0;
  writeDoc(doc, 0);
  const bytes = Buffer.allocUnsafe(at);
  buffer.copy(bytes, 0, 0, at);
  if (buffer.length > 4 * 1024 * 1024) buffer = Buffer.allocUnsafeSlow(64 * 1024);
  return bytes;
};
