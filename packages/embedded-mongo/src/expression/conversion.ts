import { Binary, Decimal128, ObjectId, Timestamp } from 'bson';
import {
  BsonType,
  double,
  formatValue,
  int,
  isDoc,
  isNumeric,
  toNumber,
  typeName,
  typeNumber,
} from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { integerOf, isTruthy, toDecimal, truncate } from '../values/numbers.js';
import { parseDate } from './date-parsing.js';
import { binaryOfText, formatOf, subtypeOf, textOfBinary } from './binary-conversion.js';
import { fail, isNullish, namedOperand, nullable, typeText, unary } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

const failed = (reason: string, detail?: string): ServerError =>
  new ServerError(
    'ConversionFailure',
    `${reason} in $convert with no onError value${detail === undefined ? '' : `: ${detail}`}`,
  );

const unsupported = (value: Value, target: string): ServerError =>
  failed(`Unsupported conversion from ${typeText(value)} to ${target}`);

const parseNumber = (text: string, pattern: RegExp): string => {
  if (!pattern.test(text))
    throw failed(
      `Failed to parse number '${text}'`,
      text === '' ? 'No digits' : 'Did not consume whole string.',
    );
  return text;
};

const wholePattern = /^[+-]?\d+$/;
const realPattern = /^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?|nan)$/i;

const realOf = (text: string): number => {
  const checked = parseNumber(text, realPattern).toLowerCase();
  if (checked.includes('nan')) return NaN;
  if (checked.includes('inf')) return checked.startsWith('-') ? -Infinity : Infinity;
  return Number(checked);
};

const integer = (value: bigint | undefined, type: number, target: string): Value => {
  const result = value === undefined ? undefined : integerOf(value, type);
  if (!result || (type === BsonType.int && typeNumber(result) !== BsonType.int)) {
    throw failed('Conversion would overflow target type', String(value ?? target));
  }
  return result;
};

const toInteger =
  (type: number, target: string) =>
  (value: Value): Value => {
    if (isNumeric(value)) return integer(truncate(value), type, target);
    if (typeof value === 'boolean') return integer(value ? 1n : 0n, type, target);
    if (typeof value === 'string')
      return integer(BigInt(parseNumber(value, wholePattern).replace('+', '')), type, target);
    if (value instanceof Date && type === BsonType.long)
      return integer(BigInt(value.getTime()), type, target);
    throw unsupported(value, target);
  };

const toDouble = (value: Value): Value => {
  if (isNumeric(value)) return double(toNumber(value));
  if (typeof value === 'boolean') return double(value ? 1 : 0);
  if (typeof value === 'string') return double(realOf(value));
  if (value instanceof Date) return double(value.getTime());
  throw unsupported(value, 'double');
};

const toDecimalValue = (value: Value): Value => {
  if (isNumeric(value)) return toDecimal(value);
  if (typeof value === 'boolean') return toDecimal(int(value ? 1 : 0));
  if (value instanceof Date) return toDecimal(BigInt(value.getTime()));
  if (typeof value !== 'string') throw unsupported(value, 'decimal');
  return Decimal128.fromStringWithRounding(parseNumber(value, realPattern).replace(/^\+/, ''));
};

const toDate = (value: Value): Value => {
  if (value instanceof Date) return value;
  if (value instanceof Timestamp) return new Date(value.t * 1000);
  if (value instanceof ObjectId) return value.getTimestamp();
  if (typeof value === 'string') {
    const date = parseDate(value);
    if (!date) throw failed(`Error parsing date string '${value}'`);
    return date;
  }
  if (isNumeric(value) && typeNumber(value) !== BsonType.int) {
    const date = new Date(Number(truncate(value) ?? NaN));
    if (Number.isNaN(date.getTime())) throw failed('Could not convert number to date: out of range');
    return date;
  }
  throw unsupported(value, 'date');
};

const toObjectId = (value: Value): Value => {
  if (value instanceof ObjectId) return value;
  if (typeof value !== 'string') throw unsupported(value, 'objectId');
  if (!/^[0-9a-fA-F]{24}$/.test(value)) {
    throw failed(
      `Failed to parse objectId '${value}'`,
      value.length === 24
        ? `Invalid character found in hex string: ${value}`
        : `Invalid string length for parsing to OID, expected 24 but found ${value.length}`,
    );
  }
  return new ObjectId(value);
};

const realText = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? String(value) : value > 0 ? 'Infinity' : '-Infinity';
};

const toText = (value: Value): Value => {
  if (typeof value === 'string') return value;
  if (isNumeric(value))
    return typeNumber(value) === BsonType.double ? realText(toNumber(value)) : String(value);
  if (typeof value === 'boolean') return String(value);
  if (value instanceof ObjectId) return value.toHexString();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Binary) return textOfBinary(value, 'auto');
  throw unsupported(value, 'string');
};

const toUuid = (value: Value): Value => {
  if (typeof value !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
    throw failed(`Invalid UUID string`);
  }
  return new Binary(Buffer.from(value.replaceAll('-', ''), 'hex'), 4);
};

/**
 * Converts to or from binary data using a format. Returns undefined if no format applies to the conversion.
 */
const formatted = (value: Value, target: Value, name: string, format: Value): Value => {
  const textual = typeof value === 'string' && name === 'binData';
  if (!textual && !(value instanceof Binary && name === 'string')) return undefined;
  if (isNullish(format))
    throw fail(4341115, `Format must be speficied when converting from '${typeText(value)}' to '${name}'`);
  return typeof value === 'string'
    ? binaryOfText(value, formatOf(format), subtypeOf(target))
    : textOfBinary(value, formatOf(format));
};

const toBinary = (value: Value): Value => {
  if (value instanceof Binary) return value;
  throw unsupported(value, 'binData');
};

type Conversion = (value: Value) => Value;

const toBool: Conversion = (value) =>
  typeof value === 'boolean' ? value : isNumeric(value) ? isTruthy(value) : true;
const toInt = toInteger(BsonType.int, 'int');
const toLong = toInteger(BsonType.long, 'long');

const conversions: Record<string, Conversion> = {
  double: toDouble,
  string: toText,
  objectId: toObjectId,
  bool: toBool,
  date: toDate,
  int: toInt,
  long: toLong,
  decimal: toDecimalValue,
  binData: toBinary,
};

const conversionTo = (target: Value): { type: string; conversion: Conversion } => {
  let name: Value = isDoc(target) ? target['type'] : target;
  if (isNumeric(name)) {
    const number = toNumber(name);
    name = Object.entries(BsonType).find(([, code]) => code === number)?.[0];
  }
  const conversion =
    typeof name === 'string' && Object.hasOwn(conversions, name) ? conversions[name] : undefined;
  if (!conversion || typeof name !== 'string')
    throw new ServerError('BadValue', `Unknown type name: ${formatValue(name)}`);
  return { type: name, conversion };
};

const convert: OperatorCompiler = (operand, compile, name) => {
  const given = namedOperand(operand, name, ['input', 'to', 'onError', 'onNull', 'format'], ['input', 'to']);
  const input = compile(given['input']);
  const to = compile(given['to']);
  const onNull = Object.hasOwn(given, 'onNull') ? compile(given['onNull']) : (): Value => null;
  const format = Object.hasOwn(given, 'format') ? compile(given['format']) : (): Value => undefined;
  const onError = Object.hasOwn(given, 'onError') ? compile(given['onError']) : undefined;
  return (scope) => {
    const value = input(scope);
    if (isNullish(value)) return onNull(scope);
    const target = to(scope);
    if (isNullish(target)) return null;
    const { type, conversion } = conversionTo(target);
    try {
      return formatted(value, target, type, format(scope)) ?? conversion(value);
    } catch (error) {
      if (onError && error instanceof ServerError && error.codeName === 'ConversionFailure')
        return onError(scope);
      throw error;
    }
  };
};

/** `$type`, and `$convert` with its shorthand operators. */
export const conversionOperators: Operators = {
  $type: unary((value) => (value === undefined ? 'missing' : typeName(value))),
  $isNumber: unary((value) => isNumeric(value)),
  $convert: convert,
  $toBool: nullable(toBool),
  $toDate: nullable(toDate),
  $toDecimal: nullable(toDecimalValue),
  $toDouble: nullable(toDouble),
  $toInt: nullable(toInt),
  $toLong: nullable(toLong),
  $toObjectId: nullable(toObjectId),
  $toString: nullable(toText),
  $toUUID: nullable(toUuid),
};
