import { formatValue, isDoc, newDoc, pathKeys } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { ServerError, unsupported } from '../values/errors.js';
import { accumulatorOperators } from './accumulators.js';
import { arithmeticOperators } from './arithmetic.js';
import { arrayOperators } from './arrays.js';
import { arrayLoopOperators } from './array-loops.js';
import { comparisonOperators } from './comparison.js';
import { conversionOperators } from './conversion.js';
import { dateOperators } from './dates.js';
import { dateArithmeticOperators } from './date-arithmetic.js';
import { mathOperators } from './math.js';
import { objectOperators } from './objects.js';
import { regexOperators } from './regex-operators.js';
import { fail } from './scope.js';
import type { Evaluate, Operators, Scope } from './scope.js';
import { setOperators } from './sets.js';
import { stringOperators } from './strings.js';

const literal: Operators = {
  $literal: (operand) => () => operand,
  $const: (operand) => () => operand,
};

/** All supported expression operators. */
export const operators: Operators = {
  ...literal,
  ...accumulatorOperators,
  ...arithmeticOperators,
  ...arrayOperators,
  ...arrayLoopOperators,
  ...comparisonOperators,
  ...conversionOperators,
  ...dateOperators,
  ...dateArithmeticOperators,
  ...mathOperators,
  ...objectOperators,
  ...regexOperators,
  ...setOperators,
  ...stringOperators,
};

/** Operators of MongoDB that this store does not support. */
const refused: ReadonlySet<string> = new Set(['$function', '$accumulator', '$meta', '$toHashedIndexKey']);

/**
 * The value of a field path in aggregation: arrays are mapped over, and numeric components are not array
 * indexes.
 */
export const resolveNames = (value: Value, names: readonly string[], from = 0): Value => {
  const name = names[from];
  if (name === undefined) return value;
  if (Array.isArray(value)) {
    const found: Value[] = [];
    for (const element of value) {
      if (!isDoc(element)) continue;
      const inner = resolveNames(element, names, from);
      if (inner !== undefined) found.push(inner);
    }
    return found;
  }
  return isDoc(value) && Object.hasOwn(value, name) ? resolveNames(value[name], names, from + 1) : undefined;
};

const checkNames = (names: readonly string[], text: string): void => {
  if (names.some((name) => name === '')) {
    throw text === '$' || text === '$$'
      ? fail(16872, `'${text}' by itself is not a valid ${text === '$' ? 'FieldPath' : 'variable'}`)
      : fail(15998, 'FieldPath field names may not be empty strings.');
  }
  const dollar = names.find((name) => name.startsWith('$'));
  if (dollar !== undefined) {
    throw fail(16410, `FieldPath field names may not start with '$'. Consider using $getField or $setField.`);
  }
};

/** Variables that are always defined. */
const builtIn: Record<string, (scope: Scope) => Value> = {
  ROOT: (scope) => scope.root,
  CURRENT: (scope) => (Object.hasOwn(scope.vars, 'CURRENT') ? scope.vars['CURRENT'] : scope.root),
  REMOVE: () => undefined,
  NOW: (scope) => scope.vars['NOW'] ?? new Date(),
  KEEP: () => '$$KEEP',
  PRUNE: () => '$$PRUNE',
  DESCEND: () => '$$DESCEND',
};

const compileVariable = (text: string): Evaluate => {
  const [name = '', ...rest] = pathKeys(text.slice(2));
  if (name === '') throw fail(16869, `'$$' starts with an invalid character for a user variable name`);
  checkNames(rest, text);
  const read = Object.hasOwn(builtIn, name) ? builtIn[name] : undefined;
  if (read) return (scope) => resolveNames(read(scope), rest);
  if (
    !/^[a-z\u0080-\uffff]/.test(name) &&
    name !== 'CLUSTER_TIME' &&
    name !== 'SEARCH_META' &&
    name !== 'USER_ROLES'
  ) {
    throw fail(17276, `Use of undefined variable: ${name}`);
  }
  return (scope) => {
    if (!Object.hasOwn(scope.vars, name)) throw fail(17276, `Use of undefined variable: ${name}`);
    return resolveNames(scope.vars[name], rest);
  };
};

const compilePath = (text: string): Evaluate => {
  const names = pathKeys(text.slice(1));
  checkNames(names, text);
  const [first = ''] = names;
  const base = (scope: Scope): Value =>
    Object.hasOwn(scope.vars, 'CURRENT') ? scope.vars['CURRENT'] : scope.root;
  if (names.length > 1) return (scope) => resolveNames(base(scope), names);
  return (scope) => {
    const doc = base(scope);
    if (isDoc(doc)) return Object.hasOwn(doc, first) ? doc[first] : undefined;
    return resolveNames(doc, names);
  };
};

const compileObject = (expression: { [field: string]: Value }): Evaluate => {
  const names = Object.keys(expression);
  const [first] = names;
  if (first?.startsWith('$')) {
    if (names.length > 1) {
      throw fail(
        15983,
        `an object representing an expression must have exactly one field: ${formatValue(expression)}`,
      );
    }
    const operator = Object.hasOwn(operators, first) ? operators[first] : undefined;
    if (!operator) {
      if (refused.has(first)) throw unsupported(first);
      throw new ServerError(168, `Unrecognized expression '${first}'`, {
        codeName: 'InvalidPipelineOperator',
      });
    }
    return operator(expression[first], compile, first);
  }
  checkNames(names, '');
  const dotted = names.find((name) => name.includes('.'));
  if (dotted !== undefined)
    throw fail(16405, `FieldPath field names may not contain '.'. Consider using $getField or $setField.`);
  const fields = names.map((name): [string, Evaluate] => [name, compile(expression[name])]);
  return (scope) => {
    const doc = newDoc();
    for (const [name, evaluate] of fields) {
      const value = evaluate(scope);
      if (value !== undefined) doc[name] = value;
    }
    return doc;
  };
};

/** Compiles an expression. Parse errors have MongoDB's codes. */
export function compile(expression: Value): Evaluate {
  if (typeof expression === 'string') {
    if (expression.startsWith('$$')) return compileVariable(expression);
    if (expression.startsWith('$')) return compilePath(expression);
    return () => expression;
  }
  if (Array.isArray(expression)) {
    const elements = expression.map(compile);
    return (scope) => elements.map((element) => element(scope) ?? null);
  }
  return isDoc(expression) ? compileObject(expression) : () => expression;
}
