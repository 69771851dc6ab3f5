import { serialize } from 'bson';
import { fieldName, isDoc, type Value } from '../values/bson.js';

/** Values of a reply: BSON values, plain numbers, 64-bit integers, and documents that are already BSON. */
export type ReplyValue = Value | number | bigint | RawDocument | ReplyDoc | readonly ReplyValue[] | undefined;

export interface ReplyDoc {
  [field: string]: ReplyValue;
}

/** A document that is already BSON and is copied into the reply unchanged. */
export class RawDocument {
  constructor(readonly bytes: Uint8Array) {}
}

const initialBytes = 512;

/**
 * Writes BSON into one growing buffer. Elements are written in order, and documents and arrays are nested by
 * begin and end.
 */
export class BsonWriter {
  private buffer: Buffer;
  private length: number;
  private readonly open: number[] = [];

  /**
   * `prefix`: bytes to reserve at the front. `expected`: expected size of the content in bytes, if it is
   * large.
   */
  constructor(prefix = 0, expected = 0) {
    this.buffer = Buffer.allocUnsafe(prefix + Math.max(initialBytes, expected));
    this.length = prefix;
  }

  begin(): void {
    this.reserve(4);
    this.open.push(this.length);
    this.length += 4;
  }

  end(): void {
    this.reserve(1);
    this.buffer[this.length++] = 0;
    const start = this.open.pop()!;
    this.buffer.writeInt32LE(this.length - start, start);
  }

  beginDocument(name: string): void {
    this.element(0x03, name);
    this.begin();
  }

  beginArray(name: string): void {
    this.element(0x04, name);
    this.begin();
  }

  int32(name: string, value: number): void {
    this.element(0x10, name);
    this.reserve(4);
    this.length = this.buffer.writeInt32LE(value, this.length);
  }

  int64(name: string, value: bigint): void {
    this.element(0x12, name);
    this.reserve(8);
    this.length = this.buffer.writeBigInt64LE(value, this.length);
  }

  double(name: string, value: number): void {
    this.element(0x01, name);
    this.reserve(8);
    this.length = this.buffer.writeDoubleLE(value, this.length);
  }

  string(name: string, value: string): void {
    this.element(0x02, name);
    const bytes = Buffer.byteLength(value);
    this.reserve(bytes + 5);
    this.length = this.buffer.writeInt32LE(bytes + 1, this.length);
    this.length += this.buffer.write(value, this.length, 'utf8');
    this.buffer[this.length++] = 0;
  }

  boolean(name: string, value: boolean): void {
    this.element(0x08, name);
    this.reserve(1);
    this.buffer[this.length++] = value ? 1 : 0;
  }

  timestamp(name: string, seconds: number, increment: number): void {
    this.element(0x11, name);
    this.reserve(8);
    this.length = this.buffer.writeUInt32LE(increment, this.length);
    this.length = this.buffer.writeUInt32LE(seconds, this.length);
  }

  raw(name: string, document: Uint8Array): void {
    this.element(0x03, name);
    this.bytes(document);
  }

  /** Writes the fields of `doc` into the open document. Undefined fields are omitted. */
  fields(doc: ReplyDoc): void {
    for (const name of Object.keys(doc)) this.value(name, doc[name]);
  }

  value(name: string, value: ReplyValue): void {
    if (value === undefined) return;
    if (typeof value === 'string') this.string(name, value);
    else if (typeof value === 'boolean') this.boolean(name, value);
    else if (typeof value === 'number') this.number(name, value);
    else if (typeof value === 'bigint') this.int64(name, value);
    else if (value === null) this.element(0x0a, name);
    else if (value instanceof RawDocument) this.raw(name, value.bytes);
    else if (Array.isArray(value)) this.array(name, value);
    else if (isDoc(value)) this.nested(name, value);
    else this.typed(name, value);
  }

  /** Returns the bytes written so far, including the prefix. */
  finish(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private number(name: string, value: number): void {
    if (Number.isInteger(value) && !Object.is(value, -0) && Math.abs(value) <= 0x7fffffff)
      this.int32(name, value);
    else if (Number.isSafeInteger(value)) this.int64(name, BigInt(value));
    else this.double(name, value);
  }

  private array(name: string, values: readonly ReplyValue[]): void {
    this.beginArray(name);
    for (let i = 0; i < values.length; i++) this.value(String(i), values[i] ?? null);
    this.end();
  }

  private nested(name: string, doc: ReplyDoc): void {
    this.beginDocument(name);
    this.fields(doc);
    this.end();
  }

  /** Types that are rare in replies are encoded by the bson package and copied. */
  private typed(name: string, value: object): void {
    const element = serialize({ [fieldName(name)]: value }, { ignoreUndefined: true });
    this.bytes(element.subarray(4, element.length - 1));
  }

  private bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  private element(type: number, key: string): void {
    const name = fieldName(key);
    this.reserve(name.length * 3 + 2);
    this.buffer[this.length++] = type;
    this.length += this.buffer.write(name, this.length, 'utf8');
    this.buffer[this.length++] = 0;
  }

  private reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
