import { int, isDoc } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import { isTruthy } from '../values/numbers.js';
import { binary, fail, isNullish, listArguments, namedOperand, unary } from './scope.js';
import type { Compile, Evaluate, OperatorCompiler, Operators } from './scope.js';

const order = (accepts: (order: number) => boolean): OperatorCompiler =>
  binary((a, b) => accepts(compareValues(a, b)));

const cond: OperatorCompiler = (operand, compile) => {
  let parts: Value[];
  if (isDoc(operand)) {
    const unknown = Object.keys(operand).find((name) => !['if', 'then', 'else'].includes(name));
    if (unknown !== undefined) throw fail(17083, `Unrecognized parameter to $cond: ${unknown}`);
    for (const [name, code] of [
      ['if', 17080],
      ['then', 17081],
      ['else', 17082],
    ] as const) {
      if (!Object.hasOwn(operand, name)) throw fail(code, `Missing '${name}' parameter to $cond`);
    }
    parts = [operand['if'], operand['then'], operand['else']];
  } else {
    parts = Array.isArray(operand) ? operand : [operand];
    if (parts.length !== 3) {
      throw fail(16020, `Expression $cond takes exactly 3 arguments. ${parts.length} were passed in.`);
    }
  }
  const [condition, yes, no] = parts.map(compile);
  return (scope) => (isTruthy(condition?.(scope)) ? yes?.(scope) : no?.(scope));
};

const ifNull: OperatorCompiler = (operand, compile) => {
  const list = listArguments(operand, compile);
  if (list.length < 2)
    throw fail(1257300, '$ifNull needs at least two arguments, had: ' + String(list.length));
  return (scope) => {
    let value: Value;
    for (const argument of list) {
      value = argument(scope);
      if (!isNullish(value)) return value;
    }
    return value;
  };
};

const branchOf = (branch: Value, compile: Compile): { when: Evaluate; then: Evaluate } => {
  if (!isDoc(branch)) throw fail(40062, `$switch requires each branch to be an object`);
  const unknown = Object.keys(branch).find((name) => name !== 'case' && name !== 'then');
  if (unknown !== undefined) throw fail(40063, `$switch found an unknown argument to a branch: ${unknown}`);
  if (!Object.hasOwn(branch, 'case'))
    throw fail(40064, "$switch requires each branch have a 'case' expression");
  if (!Object.hasOwn(branch, 'then'))
    throw fail(40065, "$switch requires each branch have a 'then' expression.");
  return { when: compile(branch['case']), then: compile(branch['then']) };
};

const switchOperator: OperatorCompiler = (operand, compile, name) => {
  const given = namedOperand(operand, name, ['branches', 'default'], []);
  const list = given['branches'];
  if (list !== undefined && !Array.isArray(list))
    throw fail(40061, "$switch expected an array for 'branches'");
  const branches = (list ?? []).map((branch) => branchOf(branch, compile));
  if (branches.length === 0) throw fail(40068, '$switch requires at least one branch.');
  const fallback = Object.hasOwn(given, 'default') ? compile(given['default']) : undefined;
  return (scope) => {
    const found = branches.find(({ when }) => isTruthy(when(scope)));
    if (found) return found.then(scope);
    if (!fallback) {
      throw fail(
        40066,
        '$switch could not find a matching branch for an input, and no default was specified.',
      );
    }
    return fallback(scope);
  };
};

/** Comparison in BSON order, logical and conditional operators. */
export const comparisonOperators: Operators = {
  $eq: order((result) => result === 0),
  $ne: order((result) => result !== 0),
  $gt: order((result) => result > 0),
  $gte: order((result) => result >= 0),
  $lt: order((result) => result < 0),
  $lte: order((result) => result <= 0),
  $cmp: binary((a, b) => int(Math.sign(compareValues(a, b)))),
  $and: (operand, compile) => {
    const list = listArguments(operand, compile);
    return (scope) => list.every((argument) => isTruthy(argument(scope)));
  },
  $or: (operand, compile) => {
    const list = listArguments(operand, compile);
    return (scope) => list.some((argument) => isTruthy(argument(scope)));
  },
  $not: unary((value) => !isTruthy(value)),
  $cond: cond,
  $ifNull: ifNull,
  $switch: switchOperator,
};
