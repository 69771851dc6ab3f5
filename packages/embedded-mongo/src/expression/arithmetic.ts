import type { Decimal128 } from 'bson';
import { BsonType, double, isNumeric, long, toNumber, typeNumber } from '../values/bson.js';
import type { NumericValue, Value } from '../values/bson.js';
import { decimalParts, digitCount, dropDigits, exactOfDouble, makeDecimal } from '../values/decimal.js';
import { ServerError } from '../values/errors.js';
import {
  add,
  divide,
  integerOf,
  isZero,
  multiply,
  negate,
  remainder,
  subtract,
  toBigInt,
} from '../values/numbers.js';
import {
  binary,
  fail,
  isNullish,
  nullable,
  numberArgument,
  typeMismatch,
  typeText,
  variadic,
  wholeArgument,
} from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

/** In expressions, a long that overflows becomes a double. */
const orDouble =
  (
    operation: (a: NumericValue, b: NumericValue) => NumericValue | undefined,
    inDoubles: (a: number, b: number) => number,
  ): ((a: NumericValue, b: NumericValue) => NumericValue) =>
  (a, b) =>
    operation(a, b) ?? double(inDoubles(toNumber(a), toNumber(b)));

/** Sum of two numbers. A long that overflows becomes a double. */
export const addLoose = orDouble(add, (a, b) => a + b);
const multiplyLoose = orDouble(multiply, (a, b) => a * b);
const subtractLoose = orDouble(subtract, (a, b) => a - b);

const sum = (values: Value[]): Value => {
  let total: NumericValue = 0;
  let date: Date | undefined;
  for (const value of values) {
    if (isNullish(value)) return null;
    if (value instanceof Date) {
      if (date) throw typeMismatch('only one date allowed in an $add expression');
      date = value;
    } else if (isNumeric(value)) {
      total = addLoose(total, value);
    } else {
      throw typeMismatch(`$add only supports numeric or date types, not ${typeText(value)}`);
    }
  }
  return date ? new Date(date.getTime() + Math.round(toNumber(total))) : typed(total);
};

/** The initial value of a sum, 0, as an Int32. */
const typed = (value: NumericValue): NumericValue =>
  typeof value === 'number' ? (integerOf(BigInt(value)) ?? value) : value;

const product = (values: Value[]): Value => {
  let total: NumericValue = 1;
  let absent = false;
  for (const value of values) {
    if (isNullish(value)) absent = true;
    else if (!isNumeric(value)) {
      throw typeMismatch(`$multiply only supports numeric types, not ${typeText(value)}`);
    } else if (!absent) total = multiplyLoose(total, value);
  }
  return absent ? null : typed(total);
};

const difference = (a: Value, b: Value): Value => {
  if (isNullish(a) || isNullish(b)) return null;
  if (isNumeric(a) && isNumeric(b)) return subtractLoose(a, b);
  if (a instanceof Date && b instanceof Date) return long(a.getTime() - b.getTime());
  if (a instanceof Date && isNumeric(b)) return new Date(a.getTime() - Math.trunc(toNumber(b)));
  throw typeMismatch(`can't $subtract ${typeText(b)} from ${typeText(a)}`);
};

const quotient = (a: Value, b: Value): Value => {
  if (isNullish(a) || isNullish(b)) return null;
  if (!isNumeric(a) || !isNumeric(b)) {
    throw typeMismatch(`$divide only supports numeric types, not ${typeText(a)} and ${typeText(b)}`);
  }
  if (isZero(b)) throw new ServerError('BadValue', "can't $divide by zero");
  return divide(a, b);
};

const modulo = (a: Value, b: Value): Value => {
  if (isNullish(a) || isNullish(b)) return null;
  if (!isNumeric(a) || !isNumeric(b)) {
    throw fail(16611, `$mod only supports numeric types, not ${typeText(a)} and ${typeText(b)}`);
  }
  if (isZero(b)) throw fail(16610, "can't $mod by zero");
  return remainder(a, b);
};

const absoluteValue = nullable((value, name) => {
  const number = numberArgument(value, name);
  if (toNumber(number) >= 0) return number;
  const result = negate(number);
  if (result === undefined) throw fail(28680, "can't take $abs of long long min");
  return result;
});

type Rounding = (magnitude: bigint, digits: number, negative: boolean) => bigint;

const cut: Rounding = (magnitude, digits) => magnitude / 10n ** BigInt(digits);
const away = (magnitude: bigint, digits: number): bigint =>
  (magnitude + 10n ** BigInt(digits) - 1n) / 10n ** BigInt(digits);
const floor: Rounding = (magnitude, digits, negative) =>
  negative ? away(magnitude, digits) : cut(magnitude, digits, negative);
const ceiling: Rounding = (magnitude, digits, negative) =>
  negative ? cut(magnitude, digits, negative) : away(magnitude, digits);
const halfEven: Rounding = (magnitude, digits) => dropDigits(magnitude, digits);

/** Rounds to `place` decimal places (left of the decimal point if negative) and keeps the type. */
const roundAt = (value: NumericValue, place: number, rounding: Rounding): NumericValue => {
  const type = typeNumber(value);
  if (type === BsonType.decimal) return roundDecimal(value as Decimal128, place, rounding);
  if (type === BsonType.double) return roundDouble(toNumber(value), place, rounding);
  if (place >= 0) return value;
  const whole = toBigInt(value);
  const negative = whole < 0n;
  const digits = Math.min(-place, 40);
  const rounded = rounding(negative ? -whole : whole, digits, negative) * 10n ** BigInt(digits);
  const result = integerOf(negative ? -rounded : rounded, type);
  if (!result) throw fail(51080, 'invalid conversion from Decimal128 result in rounding to int64');
  return result;
};

const roundDecimal = (value: Decimal128, place: number, rounding: Rounding): Decimal128 => {
  const parts = decimalParts(value);
  if (parts.kind !== 'finite' || -parts.exponent <= place) return value;
  const magnitude = parts.negative ? -parts.coefficient : parts.coefficient;
  const drop = Math.min(-place - parts.exponent, digitCount(magnitude) + 1);
  const rounded = rounding(magnitude, drop, parts.negative);
  return makeDecimal({ coefficient: parts.negative ? -rounded : rounded, exponent: -place }, parts.negative);
};

const roundDouble = (value: number, place: number, rounding: Rounding): NumericValue => {
  if (!Number.isFinite(value) || (Number.isInteger(value) && place >= 0)) return double(value);
  const { coefficient, exponent } = exactOfDouble(value);
  const drop = -place - exponent;
  if (drop <= 0) return double(value);
  const negative = value < 0;
  const rounded = rounding(negative ? -coefficient : coefficient, drop, negative);
  return double(Number(`${negative ? '-' : ''}${rounded}e${-place}`));
};

const whole = (rounding: Rounding): OperatorCompiler =>
  nullable((value, name) => roundAt(numberArgument(value, name), 0, rounding));

const placed = (rounding: Rounding): OperatorCompiler =>
  variadic(
    ([value, place], name) => {
      if (isNullish(value) || place === null) return null;
      if (!isNumeric(value)) throw fail(51081, `${name} only supports numeric types, not ${typeText(value)}`);
      const at =
        place === undefined
          ? 0
          : wholeArgument(place, 51082, `precision argument to  ${name} must be a integral value`);
      if (at < -20 || at > 100) {
        throw fail(51083, `cannot apply ${name} with precision value ${at} value must be in [-20, 100]`);
      }
      return roundAt(value, at, rounding);
    },
    1,
    2,
  );

const bits = (name: string, start: bigint, combine: (a: bigint, b: bigint) => bigint): OperatorCompiler =>
  variadic((values) => {
    let type: number = BsonType.int;
    let result = start;
    for (const value of values) {
      if (isNullish(value)) return null;
      type = bitType(value, name, type);
      result = combine(result, toBigInt(value as NumericValue));
    }
    return integerOf(BigInt.asIntN(type === BsonType.int ? 32 : 64, result), type);
  });

const bitType = (value: Value, name: string, type: number): number => {
  const own = typeNumber(value);
  if (own !== BsonType.int && own !== BsonType.long)
    throw typeMismatch(`${name} only supports int and long operands.`);
  return own === BsonType.long ? own : type;
};

/** Arithmetic operators that preserve MongoDB's numeric types. */
export const arithmeticOperators: Operators = {
  $add: variadic(sum),
  $subtract: binary(difference),
  $multiply: variadic(product),
  $divide: binary(quotient),
  $mod: binary(modulo),
  $abs: absoluteValue,
  $ceil: whole(ceiling),
  $floor: whole(floor),
  $round: placed(halfEven),
  $trunc: placed(cut),
  $bitAnd: bits('$bitAnd', -1n, (a, b) => a & b),
  $bitOr: bits('$bitOr', 0n, (a, b) => a | b),
  $bitXor: bits('$bitXor', 0n, (a, b) => a ^ b),
  $bitNot: nullable((value, name) => {
    const type = bitType(value, name, BsonType.int);
    return integerOf(~toBigInt(value as NumericValue), type);
  }),
};
