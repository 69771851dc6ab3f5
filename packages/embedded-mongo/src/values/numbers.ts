import { Decimal128, Double, Int32, Long } from 'bson';
import {
  absolute,
  compareExact,
  decimalInfinity,
  decimalNaN,
  decimalOfDouble,
  decimalParts,
  digitCount,
  exactOfDouble,
  makeDecimal,
  scaleTo,
} from './decimal.js';
import type { DecimalParts, Exact } from './decimal.js';
import { BsonType, isNumeric, toNumber, typeNumber } from './types.js';
import type { NumericValue, Value } from './types.js';

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

export const fitsInt64 = (value: bigint): boolean => value >= MIN_INT64 && value <= MAX_INT64;

/** The value of an Int32 or a Long. */
export const toBigInt = (value: NumericValue): bigint => {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(value);
  if (value instanceof Int32 || value instanceof Double) return BigInt(value.value);
  return (value as Long).toBigInt();
};

/**
 * The smallest integer type, but at least `atLeast`, that can hold `value`. Undefined if it exceeds 64 bits.
 */
export const integerOf = (value: bigint, atLeast: number = BsonType.int): Int32 | Long | undefined => {
  if (atLeast === BsonType.int && value >= -0x80000000n && value <= 0x7fffffffn)
    return new Int32(Number(value));
  return fitsInt64(value) ? Long.fromBigInt(value) : undefined;
};

/** The result type of an operation on two numbers. The order is decimal, double, long, int. */
export const widerType = (a: number, b: number): number => {
  for (const type of [BsonType.decimal, BsonType.double, BsonType.long])
    if (a === type || b === type) return type;
  return BsonType.int;
};

/** Converts to decimal as MongoDB does: integers exactly, doubles with 15 digits. */
export const toDecimal = (value: NumericValue): Decimal128 => {
  if (value instanceof Decimal128) return value;
  if (typeNumber(value) === BsonType.double) return decimalOfDouble(toNumber(value));
  return makeDecimal({ coefficient: toBigInt(value), exponent: 0 });
};

/** The exact number, or undefined for NaN and the infinities. */
export const toExact = (value: NumericValue): Exact | undefined => {
  if (value instanceof Decimal128) {
    const parts = decimalParts(value);
    return parts.kind === 'finite' ? parts : undefined;
  }
  if (typeNumber(value) !== BsonType.double) return { coefficient: toBigInt(value), exponent: 0 };
  const number = toNumber(value);
  return Number.isFinite(number) ? exactOfDouble(number) : undefined;
};

const decimalSum = (a: DecimalParts, b: DecimalParts): Decimal128 => {
  if (a.kind === 'nan' || b.kind === 'nan') return decimalNaN();
  if (a.kind === 'infinite' || b.kind === 'infinite') {
    if (a.kind === b.kind && a.negative !== b.negative) return decimalNaN();
    return decimalInfinity(a.kind === 'infinite' ? a.negative : b.negative);
  }
  // If the numbers are more than 80 digits apart, the smaller one cannot change 34 digits. This check avoids
  // huge shifts.
  const [large, small] = a.exponent >= b.exponent ? [a, b] : [b, a];
  if (large.coefficient !== 0n && large.exponent - small.exponent > 80 + digitCount(small.coefficient)) {
    const nudge = small.coefficient === 0n ? 0n : small.coefficient > 0n ? 1n : -1n;
    return makeDecimal({
      coefficient: scaleTo(large, large.exponent - 80) + nudge,
      exponent: large.exponent - 80,
    });
  }
  const exponent = small.exponent;
  const coefficient = (large.coefficient === 0n ? 0n : scaleTo(large, exponent)) + small.coefficient;
  return makeDecimal({ coefficient, exponent }, a.negative && b.negative);
};

const decimalProduct = (a: DecimalParts, b: DecimalParts): Decimal128 => {
  if (a.kind === 'nan' || b.kind === 'nan') return decimalNaN();
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite' || b.kind === 'infinite') {
    const zero =
      (a.kind === 'finite' && a.coefficient === 0n) || (b.kind === 'finite' && b.coefficient === 0n);
    return zero ? decimalNaN() : decimalInfinity(negative);
  }
  return makeDecimal(
    { coefficient: a.coefficient * b.coefficient, exponent: a.exponent + b.exponent },
    negative,
  );
};

const decimalQuotient = (a: DecimalParts, b: DecimalParts): Decimal128 => {
  const negative = a.negative !== b.negative;
  if (a.kind === 'nan' || b.kind === 'nan' || (a.kind === 'infinite' && b.kind === 'infinite'))
    return decimalNaN();
  if (a.kind === 'infinite') return decimalInfinity(negative);
  if (b.kind === 'infinite') return makeDecimal({ coefficient: 0n, exponent: -6176 }, negative);
  if (b.coefficient === 0n) return a.coefficient === 0n ? decimalNaN() : decimalInfinity(negative);
  const shift = Math.max(0, 40 + digitCount(b.coefficient) - digitCount(a.coefficient));
  const scaled = absolute(a.coefficient) * 10n ** BigInt(shift);
  const divisor = absolute(b.coefficient);
  let quotient = scaled / divisor;
  let exponent = a.exponent - b.exponent - shift;
  if (scaled % divisor !== 0n) {
    // An extra digit records that there is a remainder, so that rounding is correct.
    quotient = quotient * 10n + 1n;
    exponent -= 1;
  } else {
    const ideal = a.exponent - b.exponent;
    while (exponent < ideal && quotient % 10n === 0n) {
      quotient /= 10n;
      exponent += 1;
    }
  }
  return makeDecimal({ coefficient: negative ? -quotient : quotient, exponent }, negative);
};

const decimalRemainder = (a: DecimalParts, b: DecimalParts): Decimal128 => {
  if (a.kind !== 'finite' || b.kind === 'nan' || (b.kind === 'finite' && b.coefficient === 0n))
    return decimalNaN();
  if (b.kind === 'infinite') return makeDecimal(a, a.negative);
  const exponent = Math.min(a.exponent, b.exponent);
  return makeDecimal({ coefficient: scaleTo(a, exponent) % scaleTo(b, exponent), exponent }, a.negative);
};

const decimalOperation = (
  a: NumericValue,
  b: NumericValue,
  operation: (a: DecimalParts, b: DecimalParts) => Decimal128,
): Decimal128 => operation(decimalParts(toDecimal(a)), decimalParts(toDecimal(b)));

/** Sum in the wider type. Integers are promoted from int to long. Undefined if a long overflows. */
export const add = (a: NumericValue, b: NumericValue): NumericValue | undefined => {
  const type = widerType(typeNumber(a), typeNumber(b));
  if (type === BsonType.decimal) return decimalOperation(a, b, decimalSum);
  if (type === BsonType.double) return new Double(toNumber(a) + toNumber(b));
  return integerOf(toBigInt(a) + toBigInt(b), type);
};

export const negate = (value: NumericValue): NumericValue | undefined => {
  const type = typeNumber(value);
  if (type === BsonType.double) return new Double(-toNumber(value));
  if (type !== BsonType.decimal) return integerOf(-toBigInt(value), type);
  const parts = decimalParts(value as Decimal128);
  if (parts.kind === 'nan') return value;
  if (parts.kind === 'infinite') return decimalInfinity(!parts.negative);
  return makeDecimal({ coefficient: -parts.coefficient, exponent: parts.exponent }, !parts.negative);
};

/** Difference in the wider type. Undefined if a long overflows. */
export const subtract = (a: NumericValue, b: NumericValue): NumericValue | undefined => {
  const type = widerType(typeNumber(a), typeNumber(b));
  if (type === BsonType.double) return new Double(toNumber(a) - toNumber(b));
  if (type !== BsonType.decimal) return integerOf(toBigInt(a) - toBigInt(b), type);
  const negated = negate(toDecimal(b));
  return negated && add(a, negated);
};

/** Product in the wider type. Undefined if a long overflows. */
export const multiply = (a: NumericValue, b: NumericValue): NumericValue | undefined => {
  const type = widerType(typeNumber(a), typeNumber(b));
  if (type === BsonType.decimal) return decimalOperation(a, b, decimalProduct);
  if (type === BsonType.double) return new Double(toNumber(a) * toNumber(b));
  return integerOf(toBigInt(a) * toBigInt(b), type);
};

/** Quotient as a double, or as a decimal if either number is one. */
export const divide = (a: NumericValue, b: NumericValue): Double | Decimal128 =>
  widerType(typeNumber(a), typeNumber(b)) === BsonType.decimal
    ? decimalOperation(a, b, decimalQuotient)
    : new Double(toNumber(a) / toNumber(b));

/** Remainder with the sign of the dividend, in the wider type. The divisor must not be zero. */
export const remainder = (a: NumericValue, b: NumericValue): NumericValue => {
  const type = widerType(typeNumber(a), typeNumber(b));
  if (type === BsonType.decimal) return decimalOperation(a, b, decimalRemainder);
  if (type === BsonType.double) return new Double(toNumber(a) % toNumber(b));
  return integerOf(toBigInt(a) % toBigInt(b), type) ?? new Double(toNumber(a) % toNumber(b));
};

export const isZero = (value: NumericValue): boolean =>
  toNumber(value) === 0 && compareNumbers(value, 0) === 0;

const isNaNValue = (value: Value): boolean =>
  value instanceof Decimal128 ? decimalParts(value).kind === 'nan' : Number.isNaN(toNumber(value));

export { isNaNValue };

/**
 * Whether MongoDB treats the value as true. All values are true except false, zero, null, undefined and
 * missing.
 */
export const isTruthy = (value: Value): boolean => {
  if (value === null || value === undefined || value === false) return false;
  return !isNumeric(value) || !isZero(value);
};

/** Truncates toward zero. Undefined for NaN and the infinities. */
export const truncate = (value: NumericValue): bigint | undefined => {
  const type = typeNumber(value);
  if (type === BsonType.int || type === BsonType.long) return toBigInt(value);
  if (type === BsonType.double) {
    const number = toNumber(value);
    return Number.isFinite(number) ? BigInt(Math.trunc(number)) : undefined;
  }
  const exact = toExact(value);
  if (!exact) return undefined;
  if (exact.exponent >= 0) return scaleTo(exact, 0);
  return -exact.exponent > 40 ? 0n : exact.coefficient / 10n ** BigInt(-exact.exponent);
};

/** Whether the number has no fraction and fits into 64 bits. */
export const isIntegral = (value: NumericValue): boolean => {
  const whole = truncate(value);
  return whole !== undefined && fitsInt64(whole) && compareNumbers(value, whole) === 0;
};

const order = (a: number | bigint, b: number | bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** A value that JavaScript compares exactly: a number, or a bigint for a Long beyond 2^53. */
const comparable = (value: NumericValue): number | bigint => {
  if (typeof value !== 'object') return value;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  const long = value as Long;
  const high = long.high;
  return high < 0x200000 && high >= -0x200000 ? high * 4294967296 + (long.low >>> 0) : long.toBigInt();
};

/** Ranks special values: NaN, -Infinity, finite numbers, Infinity. */
const rank = (value: NumericValue): number => {
  if (value instanceof Decimal128) {
    const parts = decimalParts(value);
    return parts.kind === 'nan' ? 0 : parts.kind === 'finite' ? 2 : parts.negative ? 1 : 3;
  }
  const number = toNumber(value);
  return Number.isNaN(number) ? 0 : Number.isFinite(number) ? 2 : number < 0 ? 1 : 3;
};

const compareWithDecimal = (a: NumericValue, b: NumericValue): number => {
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference < 0 ? -1 : 1;
  const exactA = toExact(a);
  const exactB = toExact(b);
  return exactA && exactB ? compareExact(exactA, exactB) : 0;
};

/** Exact order across all numeric types. NaN is the lowest value and equal to itself, and -0 equals 0. */
export const compareNumbers = (a: NumericValue, b: NumericValue): number => {
  if (a instanceof Decimal128 || b instanceof Decimal128) return compareWithDecimal(a, b);
  const x = comparable(a);
  const y = comparable(b);
  if (x === y || x < y || x > y) return order(x, y);
  const nanX = Number.isNaN(Number(x));
  const nanY = Number.isNaN(Number(y));
  // An equal bigint and number are not identical in JavaScript.
  if (!nanX && !nanY) return 0;
  return nanX ? (nanY ? 0 : -1) : 1;
};
