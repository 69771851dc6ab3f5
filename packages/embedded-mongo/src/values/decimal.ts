import { Decimal128 } from 'bson';

const MAX_DIGITS = 34;
const MAX_COEFFICIENT = 10n ** 34n - 1n;
const MIN_EXPONENT = -6176;
const MAX_EXPONENT = 6111;
const LOW_64 = (1n << 64n) - 1n;

/** The exact finite number `coefficient * 10 ** exponent`. */
export interface Exact {
  coefficient: bigint;
  exponent: number;
}

export interface DecimalParts extends Exact {
  kind: 'finite' | 'infinite' | 'nan';
  negative: boolean;
}

/**
 * Reads the IEEE 754-2008 decimal128 (BID) layout. As specified, a coefficient out of range counts as zero.
 */
export const decimalParts = (value: Decimal128): DecimalParts => {
  const bytes = value.bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const low = view.getBigUint64(0, true);
  const high = view.getBigUint64(8, true);
  const negative = high >> 63n === 1n;
  const combination = Number((high >> 58n) & 0x1fn);
  if (combination === 0x1f) return { kind: 'nan', negative, coefficient: 0n, exponent: 0 };
  if (combination === 0x1e) return { kind: 'infinite', negative, coefficient: 0n, exponent: 0 };
  const wide = combination >> 3 === 3;
  const exponent = Number((high >> (wide ? 47n : 49n)) & 0x3fffn) + MIN_EXPONENT;
  const magnitude = wide ? 0n : ((high & ((1n << 49n) - 1n)) << 64n) | low;
  const checked = magnitude > MAX_COEFFICIENT ? 0n : magnitude;
  return { kind: 'finite', negative, coefficient: negative ? -checked : checked, exponent };
};

const pack = (negative: boolean, magnitude: bigint, exponent: number): Decimal128 => {
  const bytes = Buffer.alloc(16);
  const high = (negative ? 1n << 63n : 0n) | (BigInt(exponent - MIN_EXPONENT) << 49n) | (magnitude >> 64n);
  bytes.writeBigUInt64LE(magnitude & LOW_64, 0);
  bytes.writeBigUInt64LE(high, 8);
  return new Decimal128(bytes);
};

export const decimalInfinity = (negative: boolean): Decimal128 =>
  new Decimal128(negative ? '-Infinity' : 'Infinity');
export const decimalNaN = (): Decimal128 => new Decimal128('NaN');

export const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

/** Number of decimal digits; 1 for zero. */
export const digitCount = (value: bigint): number => absolute(value).toString().length;

/** Removes `digits` decimal digits, rounding half to even. */
export const dropDigits = (magnitude: bigint, digits: number): bigint => {
  const divisor = 10n ** BigInt(digits);
  const quotient = magnitude / divisor;
  const twice = (magnitude % divisor) * 2n;
  return twice > divisor || (twice === divisor && quotient % 2n === 1n) ? quotient + 1n : quotient;
};

/**
 * Rounds to the nearest Decimal128 with 34 digits, half to even. Too large values become infinite and too
 * small ones zero.
 */
export const makeDecimal = ({ coefficient, exponent }: Exact, negativeZero = false): Decimal128 => {
  const negative = coefficient < 0n || (coefficient === 0n && negativeZero);
  let magnitude = absolute(coefficient);
  let scale = exponent;
  const excess = Math.max(digitCount(magnitude) - MAX_DIGITS, MIN_EXPONENT - scale, 0);
  if (excess > 0) {
    if (excess > digitCount(magnitude)) return pack(negative, 0n, MIN_EXPONENT);
    magnitude = dropDigits(magnitude, excess);
    scale += excess;
    if (magnitude > MAX_COEFFICIENT) {
      magnitude /= 10n;
      scale += 1;
    }
  }
  if (scale > MAX_EXPONENT) {
    if (magnitude === 0n) return pack(negative, 0n, MAX_EXPONENT);
    const padding = scale - MAX_EXPONENT;
    if (digitCount(magnitude) + padding > MAX_DIGITS) return decimalInfinity(negative);
    magnitude *= 10n ** BigInt(padding);
    scale = MAX_EXPONENT;
  }
  return pack(negative, magnitude, scale);
};

const doubleView = new DataView(new ArrayBuffer(8));

/** The exact decimal expansion of a finite double. */
export const exactOfDouble = (value: number): Exact => {
  if (Number.isInteger(value)) return { coefficient: BigInt(value), exponent: 0 };
  doubleView.setFloat64(0, value);
  const bits = doubleView.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  const power = (biased === 0 ? 1 : biased) - 1075;
  // The value is not an integer, so the power of two is negative: m / 2^n equals m * 5^n / 10^n.
  const magnitude = mantissa * 5n ** BigInt(-power);
  return { coefficient: value < 0 ? -magnitude : magnitude, exponent: power };
};

/** Converts a double to a decimal as MongoDB does, with 15 significant digits. */
export const decimalOfDouble = (value: number): Decimal128 => {
  if (Number.isNaN(value)) return decimalNaN();
  if (!Number.isFinite(value)) return decimalInfinity(value < 0);
  return Decimal128.fromString(`${Object.is(value, -0) ? '-' : ''}${value.toPrecision(15)}`);
};

const sign = (value: bigint): number => (value > 0n ? 1 : value < 0n ? -1 : 0);

/** Compares two finite numbers exactly. */
export const compareExact = (a: Exact, b: Exact): number => {
  const signA = sign(a.coefficient);
  const signB = sign(b.coefficient);
  if (signA !== signB) return signA - signB;
  if (signA === 0) return 0;
  const sizeA = digitCount(a.coefficient) + a.exponent;
  const sizeB = digitCount(b.coefficient) + b.exponent;
  if (sizeA !== sizeB) return sizeA < sizeB ? -signA : signA;
  const exponent = Math.min(a.exponent, b.exponent);
  return sign(scaleTo(a, exponent) - scaleTo(b, exponent));
};

/** The coefficient for a lower or equal exponent. */
export const scaleTo = (value: Exact, exponent: number): bigint =>
  value.coefficient * 10n ** BigInt(value.exponent - exponent);
