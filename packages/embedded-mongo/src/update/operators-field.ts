import {
  BsonType,
  formatElement,
  formatValue,
  isDoc,
  isNumeric,
  typeName,
  typeNumber,
} from '../values/bson.js';
import type { Doc, NumericValue, Value } from '../values/bson.js';
import { compareValues, identical } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { add, integerOf, multiply, toBigInt, widerType } from '../values/numbers.js';
import { MISSING } from '../values/path.js';
import type { Candidate } from '../values/path.js';
import type { ChangeContext, FieldOperation } from './tree.js';

/** Creates an operator's operation on one field. Throws if the argument is invalid for the operator. */
export type OperationFactory = (argument: Value, path: string) => FieldOperation;

export const idOf = (doc: Doc): string => `{_id: ${formatValue(doc['_id'])}}`;

const lastName = (path: string): string => path.slice(path.lastIndexOf('.') + 1);

const set: OperationFactory = (argument) => ({
  operator: '$set',
  creates: true,
  apply: (current) => (current !== MISSING && identical(current, argument) ? current : argument),
});

const setOnInsert: OperationFactory = (argument) => ({
  operator: '$setOnInsert',
  creates: true,
  apply: (current, _path, context) => (context.isInsert ? argument : current),
});

const unset: OperationFactory = () => ({ operator: '$unset', creates: false, apply: () => MISSING });

const longName = (value: NumericValue): string => {
  const names: Partial<Record<number, string>> = {
    [BsonType.int]: 'NumberInt',
    [BsonType.long]: 'NumberLong',
    [BsonType.double]: 'NumberDouble',
    [BsonType.decimal]: 'NumberDecimal',
  };
  return `(${names[typeNumber(value)] ?? ''})${String(value)}`;
};

const arithmetic =
  (
    operator: '$inc' | '$mul',
    verb: string,
    combine: (a: NumericValue, b: NumericValue) => NumericValue | undefined,
    initial: (argument: NumericValue) => NumericValue,
  ): OperationFactory =>
  (argument, argumentPath) => {
    if (!isNumeric(argument)) {
      throw new ServerError(
        'TypeMismatch',
        `Cannot ${verb} with non-numeric argument: ${formatElement(argumentPath, argument)}`,
      );
    }
    const apply = (current: Candidate, path: string, context: ChangeContext): Candidate => {
      if (current === MISSING) return initial(argument);
      if (!isNumeric(current)) {
        throw new ServerError(
          'TypeMismatch',
          `Cannot apply ${operator} to a value of non-numeric type. ${idOf(context.original)} has the field '${lastName(path)}' of non-numeric type ${typeName(current)}`,
        );
      }
      const result = combine(current, argument);
      if (result === undefined) {
        throw new ServerError(
          'BadValue',
          `Failed to apply ${operator} operations to current value (${longName(current)}) for document ${idOf(context.original)}`,
        );
      }
      return identical(result, current) ? current : result;
    };
    return { operator, creates: true, apply };
  };

const extreme =
  (operator: '$min' | '$max', sign: 1 | -1): OperationFactory =>
  (argument) => ({
    operator,
    creates: true,
    apply: (current, _path, { collation }) =>
      current === MISSING || compareValues(argument, current, collation) * sign > 0 ? argument : current,
  });

const dateKind = (argument: Value): 'date' | 'timestamp' => {
  if (typeof argument === 'boolean') return 'date';
  if (!isDoc(argument)) {
    throw new ServerError(
      'BadValue',
      `${typeName(argument)} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).`,
    );
  }
  const other = Object.keys(argument).find((name) => name !== '$type');
  if (other !== undefined) throw new ServerError('BadValue', `Unrecognized $currentDate option: ${other}`);
  const kind = argument['$type'];
  if (kind !== 'date' && kind !== 'timestamp') {
    throw new ServerError(
      'BadValue',
      "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}",
    );
  }
  return kind;
};

const currentDate: OperationFactory = (argument) => {
  const kind = dateKind(argument);
  return {
    operator: '$currentDate',
    creates: true,
    apply: (_current, _path, context) => (kind === 'date' ? context.now() : context.timestamp()),
  };
};

const bitOperations: Record<string, (a: bigint, b: bigint) => bigint> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const isInteger = (value: Value): value is NumericValue =>
  typeNumber(value) === BsonType.int || typeNumber(value) === BsonType.long;

const parseBitSteps = (argument: Value): [(a: bigint, b: bigint) => bigint, NumericValue][] => {
  if (!isDoc(argument)) {
    throw new ServerError(
      'BadValue',
      `The $bit modifier is not compatible with a ${typeName(argument)}. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}`,
    );
  }
  const entries = Object.entries(argument);
  if (entries.length === 0) {
    throw new ServerError(
      'BadValue',
      'You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}',
    );
  }
  return entries.map(([name, operand]) => {
    const operation = Object.hasOwn(bitOperations, name) ? bitOperations[name] : undefined;
    if (!operation) {
      throw new ServerError(
        'BadValue',
        `The $bit modifier only supports 'and', 'or', and 'xor', not '${name}' which is an unknown operator: ${formatElement(name, operand)}`,
      );
    }
    if (!isInteger(operand)) {
      throw new ServerError(
        'BadValue',
        `The $bit modifier field must be an Integer(32/64 bit); a '${typeName(operand)}' is not supported here: ${formatElement(name, operand)}`,
      );
    }
    return [operation, operand];
  });
};

const bit: OperationFactory = (argument) => {
  const steps = parseBitSteps(argument);
  const apply = (current: Candidate, path: string, context: ChangeContext): Candidate => {
    if (current !== MISSING && !isInteger(current)) {
      throw new ServerError(
        'BadValue',
        `Cannot apply $bit to a value of non-integral type.${idOf(context.original)} has the field ${lastName(path)} of non-integer type ${typeName(current)}`,
      );
    }
    let bits = current === MISSING ? 0n : toBigInt(current);
    let type: number = current === MISSING ? BsonType.int : typeNumber(current);
    for (const [operation, operand] of steps) {
      bits = operation(bits, toBigInt(operand));
      type = widerType(type, typeNumber(operand));
    }
    const result = integerOf(BigInt.asIntN(type === BsonType.int ? 32 : 64, bits), type);
    return current !== MISSING && identical(result, current) ? current : result;
  };
  return { operator: '$bit', creates: true, apply };
};

const zeroLike = (argument: NumericValue): NumericValue => multiply(argument, integerOf(0n) ?? 0) ?? 0;

export const fieldOperators: Record<string, OperationFactory> = {
  $set: set,
  $setOnInsert: setOnInsert,
  $unset: unset,
  $inc: arithmetic('$inc', 'increment', add, (argument) => argument),
  $mul: arithmetic('$mul', 'multiply', multiply, zeroLike),
  $min: extreme('$min', -1),
  $max: extreme('$max', 1),
  $currentDate: currentDate,
  $bit: bit,
};
