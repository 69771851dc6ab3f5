import { isDoc, isNumeric, toNumber, typeName } from '../values/bson.js';
import type { Doc, NumericValue, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isIntegral } from '../values/numbers.js';

/** The inputs of an expression: the document, and variables by name without `$$`. */
export interface Scope {
  readonly root: Value;
  readonly vars: Readonly<Record<string, Value>>;
}

/** Returns `undefined` for a missing value. */
export type Evaluate = (scope: Scope) => Value;
export type Compile = (expression: Value) => Evaluate;
/** Compiles `{ [name]: operand }`. Throws if the operand is invalid for the operator. */
export type OperatorCompiler = (operand: Value, compile: Compile, name: string) => Evaluate;
export type Operators = Record<string, OperatorCompiler>;

export const isNullish = (value: Value): value is null | undefined => value === null || value === undefined;

/** The type name used in messages about expressions: `missing` if there is no value. */
export const typeText = (value: Value): string => (value === undefined ? 'missing' : typeName(value));

export const fail = (code: number, message: string): ServerError => new ServerError(code, message);

export const typeMismatch = (message: string): ServerError => new ServerError('TypeMismatch', message);

const checkCount = (name: string, count: number, least: number, most: number): void => {
  if (count >= least && count <= most) return;
  if (least === most) {
    throw fail(16020, `Expression ${name} takes exactly ${least} arguments. ${count} were passed in.`);
  }
  throw fail(
    28667,
    `Expression ${name} takes at least ${least} arguments, and at most ${most}, but ${count} were passed in.`,
  );
};

/** The arguments of an operator: an array, or a single argument without one. */
export const listArguments = (operand: Value, compile: Compile): Evaluate[] =>
  Array.isArray(operand) ? operand.map(compile) : [compile(operand)];

export const variadic =
  (work: (values: Value[], name: string) => Value, least = 0, most = Infinity): OperatorCompiler =>
  (operand, compile, name) => {
    const list = listArguments(operand, compile);
    checkCount(name, list.length, least, most);
    return (scope) =>
      work(
        list.map((argument) => argument(scope)),
        name,
      );
  };

export const unary =
  (work: (value: Value, name: string) => Value): OperatorCompiler =>
  (operand, compile, name) => {
    const list = listArguments(operand, compile);
    checkCount(name, list.length, 1, 1);
    const argument = list[0] ?? (() => undefined);
    return (scope) => work(argument(scope), name);
  };

export const binary = (work: (a: Value, b: Value, name: string) => Value): OperatorCompiler =>
  variadic(([a, b], name) => work(a, b, name), 2, 2);

/** Returns null for null and missing values, otherwise the result of `work`. */
export const nullable = (
  work: (value: Exclude<Value, null | undefined>, name: string) => Value,
): OperatorCompiler => unary((value, name) => (isNullish(value) ? null : work(value, name)));

/** An operator whose operand is a document of named arguments. */
export const named =
  (
    fields: readonly string[],
    required: readonly string[],
    work: (values: Record<string, Value>, name: string) => Value,
  ): OperatorCompiler =>
  (operand, compile, name) => {
    const given = namedOperand(operand, name, fields, required);
    const list = Object.keys(given).map((field): [string, Evaluate] => [field, compile(given[field])]);
    return (scope) =>
      work(Object.fromEntries(list.map(([field, argument]) => [field, argument(scope)])), name);
  };

/** Validates a document of named arguments. */
export const namedOperand = (
  operand: Value,
  name: string,
  fields: readonly string[],
  required: readonly string[],
): Doc => {
  if (!isDoc(operand))
    throw new ServerError('FailedToParse', `${name} only supports an object as its argument`);
  const unknown = Object.keys(operand).find((field) => !fields.includes(field));
  if (unknown !== undefined) {
    throw new ServerError('FailedToParse', `${name} found an unknown argument: ${unknown}`);
  }
  const missing = required.find((field) => !Object.hasOwn(operand, field));
  if (missing !== undefined) {
    throw new ServerError('FailedToParse', `${name} requires '${missing}' to be specified`);
  }
  return operand;
};

/**
 * Converts a whole number that fits 64 bits to a JavaScript number. Throws an error with `code` for anything
 * else.
 */
export const wholeArgument = (value: Value, code: number, message: string): number => {
  if (!isNumeric(value) || !isIntegral(value)) throw fail(code, message);
  return toNumber(value);
};

export const arrayArgument = (value: Value, code: number, message: string): Value[] => {
  if (!Array.isArray(value)) throw fail(code, `${message}${typeText(value)}`);
  return value;
};

export const numberArgument = (value: Value, name: string): NumericValue => {
  if (!isNumeric(value)) throw fail(28765, `${name} only supports numeric types, not ${typeText(value)}`);
  return value;
};
