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
import type { Doc, Value } from '../../src/values/types.js';

/**
 * A reference implementation of the BSON comparison order, written only from its description and without
 * regard to speed, for comparison in tests.
 */

/** Represents a missing field, which sorts before null. */
export const NOTHING: unique symbol = Symbol('nothing');
export type Found = Value | typeof NOTHING;

const classes: [number, (value: Found) => boolean][] = [
  [0, (value) => value === NOTHING || value === undefined],
  [-1, (value) => value instanceof MinKey],
  [1, (value) => value === null],
  [2, (value) => value instanceof Int32 || value instanceof Long || value instanceof Double],
  [2, (value) => value instanceof Decimal128 || typeof value === 'number'],
  [3, (value) => typeof value === 'string' || value instanceof BSONSymbol],
  [5, (value) => Array.isArray(value)],
  [6, (value) => value instanceof Binary],
  [7, (value) => value instanceof ObjectId],
  [8, (value) => typeof value === 'boolean'],
  [9, (value) => value instanceof Date],
  // A Timestamp is an instance of Long, so it is recognized first.
  [11, (value) => value instanceof BSONRegExp],
  [12, (value) => value instanceof Code && !value.scope],
  [13, (value) => value instanceof Code],
  [14, (value) => value instanceof MaxKey],
];

export const classOf = (value: Found): number =>
  value instanceof Timestamp ? 10 : (classes.find(([, is]) => is(value))?.[0] ?? 4);

export const isNumber = (value: Found): boolean => classOf(value) === 2;

type Fraction = { top: bigint; bottom: bigint };

const ofDouble = (value: number): Fraction => {
  // Every finite double is a whole number of 2^-1074.
  let [top, bottom] = [value, 1n];
  while (!Number.isInteger(top)) {
    top *= 2;
    bottom *= 2n;
  }
  return { top: BigInt(top), bottom };
};

const ofDecimal = (text: string): Fraction => {
  const [, sign = '', whole = '', part = '', exponent = '0'] =
    /^(-?)(\d*)\.?(\d*)(?:E([+-]?\d+))?$/.exec(text) ?? [];
  const power = Number(exponent) - part.length;
  const digits = BigInt(`${whole}${part}` || '0') * (sign ? -1n : 1n);
  return power >= 0
    ? { top: digits * 10n ** BigInt(power), bottom: 1n }
    : { top: digits, bottom: 10n ** BigInt(-power) };
};

/** The exact number, or NaN or an infinity. */
const exactly = (value: Value): Fraction | number => {
  if (value instanceof Decimal128) {
    const text = value.toString();
    return /NaN|Inf/.test(text) ? Number(text) : ofDecimal(text);
  }
  if (value instanceof Int32 || value instanceof Double || typeof value === 'number') {
    const number = Number(value);
    return Number.isFinite(number) ? ofDouble(number) : number;
  }
  return { top: value instanceof Long ? value.toBigInt() : 0n, bottom: 1n };
};

/** The integer part of the number; undefined if it is not finite. */
export const wholeOf = (value: Value): bigint | undefined => {
  const number = exactly(value);
  return typeof number === 'object' ? number.top / number.bottom : undefined;
};

export const isNaNumber = (value: Found): boolean =>
  value !== NOTHING && isNumber(value) && Number.isNaN(exactly(value));

const order = <T>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

const orderNumbers = (a: Value, b: Value): number => {
  const [x, y] = [exactly(a), exactly(b)];
  // NaN, -Infinity, finite numbers, Infinity.
  const rank = (number: Fraction | number): number =>
    typeof number === 'object' ? 2 : Number.isNaN(number) ? 0 : number < 0 ? 1 : 3;
  if (typeof x === 'object' && typeof y === 'object') return order(x.top * y.bottom, y.top * x.bottom);
  return order(rank(x), rank(y));
};

const orderTexts = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const firstOf = (...orders: (() => number)[]): number => {
  for (const next of orders) {
    const result = next();
    if (result !== 0) return result;
  }
  return 0;
};

const orderDocs = (a: Doc, b: Doc): number => {
  const [x, y] = [Object.entries(a), Object.entries(b)];
  for (let at = 0; at < Math.min(x.length, y.length); at++) {
    const [[nameA, valueA], [nameB, valueB]] = [x[at] ?? ['', null], y[at] ?? ['', null]];
    const result = firstOf(
      () => order(classOf(valueA), classOf(valueB)),
      () => orderTexts(nameA, nameB),
      () => compare(valueA, valueB),
    );
    if (result !== 0) return result;
  }
  return order(x.length, y.length);
};

const orderArrays = (a: Value[], b: Value[]): number => {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const result = compare(a[at], b[at]);
    if (result !== 0) return result;
  }
  return order(a.length, b.length);
};

const bytesOf = (value: Binary): Uint8Array => value.buffer.subarray(0, value.position);
/** The old subtype 2 writes its length a second time. */
const sizeOf = (value: Binary): number => value.position + (value.sub_type === 2 ? 4 : 0);

const withinClass: Record<number, (a: never, b: never) => number> = {
  2: orderNumbers,
  3: (a: string | BSONSymbol, b: string | BSONSymbol) => orderTexts(String(a), String(b)),
  4: orderDocs,
  5: orderArrays,
  6: (a: Binary, b: Binary) =>
    firstOf(
      () => order(sizeOf(a), sizeOf(b)),
      () => order(a.sub_type, b.sub_type),
      () => Buffer.compare(bytesOf(a), bytesOf(b)),
    ),
  7: (a: ObjectId, b: ObjectId) => order(a.toHexString(), b.toHexString()),
  8: (a: boolean, b: boolean) => order(Number(a), Number(b)),
  9: (a: Date, b: Date) => order(a.getTime(), b.getTime()),
  10: (a: Timestamp, b: Timestamp) =>
    firstOf(
      () => order(a.t, b.t),
      () => order(a.i, b.i),
    ),
  11: (a: BSONRegExp, b: BSONRegExp) =>
    firstOf(
      () => orderTexts(a.pattern, b.pattern),
      () => orderTexts(a.options, b.options),
    ),
  12: (a: Code, b: Code) => orderTexts(a.code, b.code),
  13: (a: Code, b: Code) =>
    firstOf(
      () => orderTexts(a.code, b.code),
      () => orderDocs(a.scope ?? {}, b.scope ?? {}),
    ),
};

/** -1, 0 or 1. */
export function compare(a: Found, b: Found): number {
  const [classA, classB] = [classOf(a), classOf(b)];
  if (classA !== classB) return order(classA, classB);
  const orderWithin = withinClass[classA] as ((a: Found, b: Found) => number) | undefined;
  return orderWithin?.(a, b) ?? 0;
}
