import { BsonType, double, isNumeric, toNumber, typeNumber } from '../values/bson.js';
import type { NumericValue, Value } from '../values/bson.js';
import { makeDecimal } from '../values/decimal.js';
import { integerOf, toBigInt, toDecimal, toExact, widerType } from '../values/numbers.js';
import { binary, fail, isNullish, nullable, numberArgument, typeText } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

/** Returns a double, or a decimal (with double precision) if the argument is a decimal. */
const like = (argument: NumericValue, result: number): NumericValue =>
  typeNumber(argument) === BsonType.decimal ? toDecimal(double(result)) : double(result);

const real = (
  work: (value: number) => number,
  check?: (value: number, name: string) => void,
): OperatorCompiler =>
  nullable((value, name) => {
    const number = toNumber(numberArgument(value, name));
    check?.(number, name);
    return like(value as NumericValue, work(number));
  });

/** Checks the domain of a trigonometric function. MongoDB raises 50989 for other arguments. */
const within =
  (low: number, high: number) =>
  (value: number, name: string): void => {
    if (value < low || value > high) {
      throw fail(50989, `cannot apply ${name} to ${value}, value must be in [${low},${high}]`);
    }
  };

const finite = (value: number, name: string): void => {
  if (value === Infinity || value === -Infinity) {
    throw fail(50989, `cannot apply ${name} to ${value}, value must be in (-inf,inf)`);
  }
};

const positive =
  (code: number) =>
  (value: number, name: string): void => {
    if (value <= 0) throw fail(code, `${name}'s argument must be a positive number, but is ${value}`);
  };

const pair = (name: string, work: (a: NumericValue, b: NumericValue) => Value): OperatorCompiler =>
  binary((a, b) => {
    if (isNullish(a) || isNullish(b)) return null;
    if (!isNumeric(a)) throw fail(28762, `${name}'s base must be numeric, not ${typeText(a)}`);
    if (!isNumeric(b)) throw fail(28763, `${name}'s exponent must be numeric, not ${typeText(b)}`);
    return work(a, b);
  });

const isWhole = (value: NumericValue): boolean =>
  typeNumber(value) === BsonType.int || typeNumber(value) === BsonType.long;

const power = (base: NumericValue, exponent: NumericValue): Value => {
  const result = toNumber(base) ** toNumber(exponent);
  const type = widerType(typeNumber(base), typeNumber(exponent));
  if (toNumber(base) === 0 && toNumber(exponent) < 0)
    throw fail(28764, '$pow cannot take a base of 0 and a negative exponent');
  if (isWhole(base) && isWhole(exponent) && toNumber(exponent) >= 0 && Math.abs(result) < 2 ** 64) {
    return integerOf(toBigInt(base) ** toBigInt(exponent), type) ?? double(result);
  }
  if (type !== BsonType.decimal) return double(result);
  const exact = toExact(base);
  const times = toNumber(exponent);
  if (exact && Number.isInteger(times) && times >= 0 && times <= 100) {
    return makeDecimal({ coefficient: exact.coefficient ** BigInt(times), exponent: exact.exponent * times });
  }
  return toDecimal(double(result));
};

const logarithm = (value: NumericValue, base: NumericValue): Value => {
  if (toNumber(value) <= 0)
    throw fail(28758, `$log's argument must be a positive number, but is ${toNumber(value)}`);
  if (toNumber(base) <= 0 || toNumber(base) === 1) {
    throw fail(28759, `$log's base must be a positive number not equal to 1, but is ${toNumber(base)}`);
  }
  const [x, b] = [toNumber(value), toNumber(base)];
  const result = b === 10 ? Math.log10(x) : b === 2 ? Math.log2(x) : Math.log(x) / Math.log(b);
  return typeNumber(base) === BsonType.decimal ? like(base, result) : like(value, result);
};

/** Powers, logarithms and trigonometry. Decimals are computed with double precision. */
export const mathOperators: Operators = {
  $exp: real(Math.exp),
  $ln: real(Math.log, positive(28766)),
  $log10: real(Math.log10, positive(28761)),
  $log: pair('$log', logarithm),
  $pow: pair('$pow', power),
  $sqrt: real(Math.sqrt, (value) => {
    if (value < 0) throw fail(28714, "$sqrt's argument must be greater than or equal to 0");
  }),
  $sigmoid: real((value) => 1 / (1 + Math.exp(-value))),
  $sin: real(Math.sin, finite),
  $cos: real(Math.cos, finite),
  $tan: real(Math.tan, finite),
  $asin: real(Math.asin, within(-1, 1)),
  $acos: real(Math.acos, within(-1, 1)),
  $atan: real(Math.atan),
  $sinh: real(Math.sinh),
  $cosh: real(Math.cosh),
  $tanh: real(Math.tanh),
  $asinh: real(Math.asinh),
  $acosh: real(Math.acosh, within(1, Infinity)),
  $atanh: real(Math.atanh, within(-1, 1)),
  $degreesToRadians: real((value) => (value * Math.PI) / 180),
  $radiansToDegrees: real((value) => (value * 180) / Math.PI),
  $atan2: pair('$atan2', (a, b) => {
    const result = Math.atan2(toNumber(a), toNumber(b));
    return like(typeNumber(b) === BsonType.decimal ? b : a, result);
  }),
  $rand: () => () => double(Math.random()),
};
