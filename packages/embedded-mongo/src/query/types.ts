import { ServerError } from '../values/errors.js';
import { BsonType, isNumeric, toNumber, typeName } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { isIntegral } from '../values/numbers.js';

const aliases: Record<string, readonly number[]> = {
  ...Object.fromEntries(Object.entries(BsonType).map(([name, number]) => [name, [number]])),
  number: [BsonType.int, BsonType.long, BsonType.double, BsonType.decimal],
};
const known = new Set<number>(Object.values(BsonType));

const typesOf = (value: Value): readonly number[] => {
  if (typeof value === 'string') {
    const types = Object.hasOwn(aliases, value) ? aliases[value] : undefined;
    if (!types) throw new ServerError('BadValue', `Unknown type name alias: ${value}`);
    return types;
  }
  if (!isNumeric(value)) {
    throw new ServerError('TypeMismatch', 'type must be represented as a number or a string');
  }
  const number = toNumber(value);
  if (number === 0) {
    throw new ServerError('BadValue', 'type must be represented as a number or a string');
  }
  if (!isIntegral(value) || !known.has(number)) {
    throw new ServerError('BadValue', `Invalid numerical type code: ${String(value)}`);
  }
  return [number];
};

/**
 * The BSON type numbers given by the operand of `$type` or `bsonType`: numbers, aliases, or an array of
 * these.
 */
export const parseTypes = (operand: Value, operator = '$type'): ReadonlySet<number> => {
  const list = Array.isArray(operand) ? operand : [operand];
  if (list.length === 0) {
    throw new ServerError('FailedToParse', `${operator} must match at least one type`);
  }
  return new Set(list.flatMap(typesOf));
};

/** Converts a numeric operand to an integer. `fail` creates the error for anything else. */
export const wholeNumber = (value: Value, fail: (type: string) => ServerError): number => {
  if (!isNumeric(value) || !isIntegral(value)) throw fail(typeName(value));
  return toNumber(value);
};
