import { isUtf8 } from 'node:buffer';
import { beginningOf } from './cut-text.js';

/** Why a JSON text was rejected. */
export type JsonFault =
  | 'invalid_json'
  | 'invalid_encoding'
  | 'number_not_exact'
  | 'lone_surrogate'
  | 'forbidden_key'
  | 'duplicate_key'
  | 'too_deep'
  | 'too_many_values';

/** A JSON text that is malformed, exceeds a limit, or contains something that could not be returned unchanged. */
export class JsonFaultError extends Error {
  constructor(
    readonly fault: JsonFault,
    /** Completes a sentence whose subject is the text, for example "The request body …". */
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'JsonFaultError';
  }
}

/** Maximum depth of arrays and objects. */
export const MAX_JSON_DEPTH = 64;

/**
 * Maximum number of values and keys unless a caller allows more. Validating and storing a value takes up to 20 µs
 * of the process, which no other request may wait for too long.
 */
export const MAX_JSON_VALUES = 20_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const UNDERSCORE = 0x5f;
const LOWER_D = 0x64;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Any number with up to this many significant digits is the same after conversion to a double and back. */
const SAFE_DIGITS = 15;

/**
 * Parses JSON such that the result represents exactly what the text says, or throws. Valid JSON is rejected
 * if it
 * - is not UTF-8, or has an escape of half a surrogate pair (a byte order mark at the start is skipped),
 * - has a number that a double does not hold, such as 9007199254740993 or 1e400,
 * - has the key `__proto__`, or one key twice in an object,
 * - is nested deeper than MAX_JSON_DEPTH, or has more than `maxValues` values and keys.
 *
 * All but repeated keys are checked in one pass over the bytes, before any value is created.
 * @throws JsonFaultError
 */
export function parseExactJson(bytes: Buffer, maxValues = MAX_JSON_VALUES): unknown {
  if (!isUtf8(bytes)) throw new JsonFaultError('invalid_encoding', 'is not valid UTF-8.');
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const text = hasMark ? bytes.subarray(3) : bytes;
  const scan = new Scan(text, maxValues);
  scan.run();
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch (error) {
    // The parser quotes the text and may cut a character in half.
    const reason = error instanceof Error ? error.message.replace(/\p{Surrogate}/gu, '\uFFFD') : '';
    throw new JsonFaultError('invalid_json', `is not valid JSON: ${reason}`, { cause: error });
  }
  if (scan.keys > 1 && countKeys(value) !== scan.keys)
    throw new JsonFaultError('duplicate_key', 'has one key twice in an object. Send each key once.');
  return value;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += countKeys(item);
  else
    for (const key in value) {
      count += 1;
      const inner = (value as Record<string, unknown>)[key];
      if (typeof inner === 'object') count += countKeys(inner);
    }
  return count;
}

const isNumberPart = (byte: number | undefined): boolean =>
  byte !== undefined &&
  ((byte >= ZERO && byte <= NINE) ||
    byte === 0x2e ||
    byte === 0x2b ||
    byte === MINUS ||
    (byte | 0x20) === 0x65);

/**
 * One pass over the bytes of a JSON text. Does not check whether it is well-formed: in malformed text, anything
 * that it reports or misses is irrelevant, because the parser rejects it.
 */
class Scan {
  /** Number of keys in all objects. */
  keys = 0;
  private values = 0;
  private depth = 0;
  /** By depth: the number of the current item in an array, or -1 - (the position of the last key) in an object. */
  private readonly place: number[] = [];

  constructor(
    private readonly bytes: Buffer,
    private readonly maxValues: number,
  ) {}

  run(): void {
    const { bytes } = this;
    const { length } = bytes;
    let lastString = 0;
    let lastStringEnd = 0;
    for (let at = 0; at < length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte <= 0x20) continue;
      if (byte === QUOTE) {
        this.count();
        lastString = at;
        at = lastStringEnd = this.endOfString(at);
      } else if (byte === COLON) {
        this.keys++;
        this.place[this.depth] = -1 - lastString;
        if (lastStringEnd - lastString >= 10) this.checkKey(lastString, lastStringEnd);
      } else if (byte === COMMA) {
        const place = this.place[this.depth];
        if (place !== undefined && place >= 0) this.place[this.depth] = place + 1;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        this.count();
        if (++this.depth > MAX_JSON_DEPTH)
          throw new JsonFaultError('too_deep', `is nested deeper than ${MAX_JSON_DEPTH} levels.`);
        this.place[this.depth] = byte === OPEN_ARRAY ? 0 : -1 - length;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        if (this.depth > 0) this.depth--;
      } else {
        this.count();
        if (byte === MINUS || (byte >= ZERO && byte <= NINE)) at = this.endOfNumber(at);
        // true, false, null: the last letter of `false` is below.
        else at += byte === 0x66 ? 4 : 3;
      }
    }
  }

  private count(): void {
    if (++this.values > this.maxValues)
      throw new JsonFaultError(
        'too_many_values',
        `has more than ${this.maxValues} values and keys. Split it into several requests.`,
      );
  }

  /** Returns the position of the closing quote. */
  private endOfString(start: number): number {
    const { bytes } = this;
    const { length } = bytes;
    let at = start + 1;
    for (; at < length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) return at;
      if (byte !== BACKSLASH) continue;
      at++;
      if (bytes[at] !== LOWER_U) continue;
      const code = this.escapeAt(at - 1);
      at += 4;
      if (code < 0xd800 || code > 0xdfff) continue;
      const next = code < 0xdc00 ? this.escapeAt(at + 1) : 0;
      if (next < 0xdc00 || next > 0xdfff) {
        const where = this.describe(start);
        throw new JsonFaultError(
          'lone_surrogate',
          `has half of a surrogate pair in the text ${where}: that is no character. Send whole characters.`,
        );
      }
      at += 6;
    }
    return at;
  }

  /** The code unit of an escape such as `\ud83d` at this position; 0 if it cannot be a surrogate, or is none. */
  private escapeAt(at: number): number {
    const { bytes } = this;
    if (bytes[at] !== BACKSLASH || bytes[at + 1] !== LOWER_U) return 0;
    // Only surrogates are of interest: they begin with "d".
    if (((bytes[at + 2] ?? 0) | 0x20) !== LOWER_D) return 0;
    return Number.parseInt(bytes.toString('latin1', at + 2, at + 6), 16);
  }

  /** Returns the position of the last character of a number. */
  private endOfNumber(start: number): number {
    const { bytes } = this;
    let at = start;
    let isPlain = true;
    for (let byte: number | undefined = bytes[at]; isNumberPart(byte); byte = bytes[++at])
      if ((byte ?? 0) > NINE) isPlain = false;
    if ((!isPlain || at - start > SAFE_DIGITS) && !isExact(bytes.toString('latin1', start, at))) {
      const where = this.describe(start);
      throw new JsonFaultError(
        'number_not_exact',
        `has a number that cannot be kept exactly ${where}: send it as a string.`,
      );
    }
    return at - 1;
  }

  private checkKey(start: number, end: number): void {
    const { bytes } = this;
    const first = bytes[start + 1];
    if (first !== UNDERSCORE && first !== BACKSLASH) return;
    if (this.keyText(start, end) === '__proto__')
      throw new JsonFaultError(
        'forbidden_key',
        `has the key "__proto__" ${this.describe(start)}, which is not allowed.`,
      );
  }

  private keyText(start: number, end: number): string {
    try {
      return String(JSON.parse(this.bytes.toString('utf8', start, end + 1)));
    } catch {
      return '';
    }
  }

  /** Describes a position by its path and byte, for example `at "messages.0.metadata.id" (byte 71)`. */
  private describe(at: number): string {
    const path: string[] = [];
    for (const place of this.place.slice(1, this.depth + 1))
      if (place >= 0) path.push(String(place));
      else if (place !== -1 - this.bytes.length) path.push(this.shortKey(-1 - place));
    const name = beginningOf(path.join('.'), 160);
    return name === '' ? `at byte ${at}` : `at "${name}" (byte ${at})`;
  }

  private shortKey(start: number): string {
    let end = start + 1;
    while (end < this.bytes.length && this.bytes[end] !== QUOTE) end += this.bytes[end] === BACKSLASH ? 2 : 1;
    return end - start > 400 ? '…' : beginningOf(this.keyText(start, end), 40);
  }
}

/** A decimal number as its significant digits and the exponent of the last of them. */
function decimalOf(text: string): { digits: string; exponent: number } | undefined {
  const match = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = '', power = '0'] = match;
  const all = whole + fraction;
  let first = 0;
  while (first < all.length && all.charCodeAt(first) === ZERO) first++;
  let end = all.length;
  while (end > first && all.charCodeAt(end - 1) === ZERO) end--;
  if (first === end) return { digits: '', exponent: 0 };
  return { digits: all.slice(first, end), exponent: Number(power) - fraction.length + (all.length - end) };
}

/**
 * Whether a number as written in JSON is the same after conversion to a double and back: as its shortest text,
 * or with 17 significant digits, which some languages write for a double. Malformed numbers count as exact.
 */
function isExact(text: string): boolean {
  const given = decimalOf(text);
  if (!given) return true;
  const value = Number(text);
  if (!Number.isFinite(value)) return false;
  if (given.digits.length <= SAFE_DIGITS && Math.abs(value) > 1e-290) return true;
  const isSame = (other: string): boolean => {
    const kept = decimalOf(other);
    return kept?.digits === given.digits && kept.exponent === given.exponent;
  };
  return isSame(String(value)) || (!Number.isInteger(value) && isSame(value.toPrecision(17)));
}
