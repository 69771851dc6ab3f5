import { isNumeric, toNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { isIntegral, isTruthy } from '../values/numbers.js';
import { arrayArgument, fail, isNullish, namedOperand, typeText } from './scope.js';
import type { OperatorCompiler, Operators, Scope } from './scope.js';

const bind = (scope: Scope, names: Record<string, Value>): Scope => ({
  root: scope.root,
  vars: { ...scope.vars, ...names },
});

const variableName = (value: Value, fallback: string, operator: string): string => {
  if (value === undefined) return fallback;
  if (typeof value !== 'string') throw fail(16866, `${operator}: 'as' must be a string`);
  if (!/^[a-z\u0080-\uffff][\w\u0080-\uffff]*$/.test(value)) {
    throw fail(16867, `'${value}' starts with an invalid character for a user variable name`);
  }
  return value;
};

const map: OperatorCompiler = (operand, compile, name) => {
  const given = namedOperand(operand, name, ['input', 'as', 'in'], ['input', 'in']);
  const as = variableName(given['as'], 'this', name);
  const input = compile(given['input']);
  const each = compile(given['in']);
  return (scope) => {
    const values = input(scope);
    if (isNullish(values)) return null;
    return arrayArgument(values, 16883, 'input to $map must be an array not ').map(
      (value) => each(bind(scope, { [as]: value })) ?? null,
    );
  };
};

const limitOf = (value: Value): number => {
  if (isNullish(value)) return Infinity;
  if (!isNumeric(value) || !isIntegral(value)) {
    throw fail(327391, `$filter: limit must be represented as a 32-bit integral value: ${typeText(value)}`);
  }
  if (toNumber(value) < 1) throw fail(327392, `$filter: limit must be greater than 0: ${toNumber(value)}`);
  return toNumber(value);
};

const filter: OperatorCompiler = (operand, compile, name) => {
  const given = namedOperand(operand, name, ['input', 'as', 'cond', 'limit'], ['input', 'cond']);
  const as = variableName(given['as'], 'this', name);
  const [input, condition, limit] = [given['input'], given['cond'], given['limit']].map(compile);
  return (scope) => {
    const values = input?.(scope);
    if (isNullish(values)) return null;
    const most = limitOf(limit?.(scope));
    const kept: Value[] = [];
    for (const value of arrayArgument(values, 28651, 'input to $filter must be an array not ')) {
      if (kept.length >= most) break;
      if (isTruthy(condition?.(bind(scope, { [as]: value })))) kept.push(value);
    }
    return kept;
  };
};

const reduce: OperatorCompiler = (operand, compile, name) => {
  const given = namedOperand(operand, name, ['input', 'initialValue', 'in'], ['input', 'initialValue', 'in']);
  const [input, initial, each] = [given['input'], given['initialValue'], given['in']].map(compile);
  return (scope) => {
    const values = input?.(scope);
    if (isNullish(values)) return null;
    return arrayArgument(values, 40080, "$reduce requires that 'input' be an array, found: ").reduce<Value>(
      (value, element) => each?.(bind(scope, { value, this: element })),
      initial?.(scope),
    );
  };
};

const letOperator: OperatorCompiler = (operand, compile, name) => {
  const given = namedOperand(operand, name, ['vars', 'in'], ['vars', 'in']);
  const vars = Object.entries(namedVariables(given['vars'])).map(([variable, value]) => {
    if (variable !== 'CURRENT') variableName(variable, variable, name);
    return [variable, compile(value)] as const;
  });
  const body = compile(given['in']);
  return (scope) =>
    body(bind(scope, Object.fromEntries(vars.map(([variable, value]) => [variable, value(scope)]))));
};

const namedVariables = (value: Value): Record<string, Value> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fail(16874, 'invalid parameter: expected an object (vars)');
  }
  return value as Record<string, Value>;
};

/** Operators that evaluate an expression for each element, and `$let`. */
export const arrayLoopOperators: Operators = {
  $map: map,
  $filter: filter,
  $reduce: reduce,
  $let: letOperator,
};
