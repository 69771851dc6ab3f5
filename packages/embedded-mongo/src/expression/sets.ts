import type { Value } from '../values/bson.js';
import { compareValues, equalValues } from '../values/compare.js';
import { isTruthy } from '../values/numbers.js';
import { binary, fail, isNullish, typeText, unary, variadic } from './scope.js';
import type { Operators } from './scope.js';

/** Sorts the values and removes duplicates. */
export const distinctSorted = (values: readonly Value[]): Value[] => {
  const sorted = [...values].sort((a, b) => compareValues(a, b));
  return sorted.filter((value, i) => i === 0 || !equalValues(value, sorted[i - 1]));
};

/** Whether a sorted array contains a value. */
export const includesSorted = (sorted: readonly Value[], wanted: Value): boolean => {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareValues(sorted[middle], wanted);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return false;
};

const setOf = (value: Value, name: string, code: number): Value[] => {
  if (!Array.isArray(value)) {
    throw fail(code, `All operands of ${name} must be arrays. One argument is of type: ${typeText(value)}`);
  }
  return distinctSorted(value);
};

const withoutNull =
  (code: number, work: (sets: Value[][]) => Value) =>
  (values: Value[], name: string): Value =>
    values.some(isNullish) ? null : work(values.map((value) => setOf(value, name, code)));

const difference = (a: Value, b: Value): Value => {
  if (isNullish(a) || isNullish(b)) return null;
  if (!Array.isArray(a))
    throw fail(
      17048,
      `both operands of $setDifference must be arrays. First argument is of type: ${typeText(a)}`,
    );
  if (!Array.isArray(b))
    throw fail(
      17049,
      `both operands of $setDifference must be arrays. Second argument is of type: ${typeText(b)}`,
    );
  const taken = distinctSorted(b);
  const seen: Value[] = [];
  for (const value of a) {
    if (!includesSorted(taken, value) && !seen.some((known) => equalValues(known, value))) seen.push(value);
  }
  return seen;
};

const subset = (a: Value, b: Value): Value => {
  if (!Array.isArray(a))
    throw fail(
      17046,
      `both operands of $setIsSubset must be arrays. First argument is of type: ${typeText(a)}`,
    );
  if (!Array.isArray(b))
    throw fail(
      17042,
      `both operands of $setIsSubset must be arrays. Second argument is of type: ${typeText(b)}`,
    );
  const all = distinctSorted(b);
  return a.every((value) => includesSorted(all, value));
};

const elements =
  (name: string, code: number) =>
  (value: Value): Value[] => {
    if (!Array.isArray(value))
      throw fail(code, `${name}'s argument must be an array, but is ${typeText(value)}`);
    return value;
  };

const allOf = elements('$allElementsTrue', 17040);
const anyOf = elements('$anyElementTrue', 17041);

/** Set operators. Elements are compared by BSON equality. */
export const setOperators: Operators = {
  $setUnion: variadic(withoutNull(17043, (sets) => distinctSorted(sets.flat()))),
  $setIntersection: variadic(
    withoutNull(17047, ([first = [], ...others]) =>
      first.filter((value) => others.every((other) => includesSorted(other, value))),
    ),
  ),
  $setEquals: variadic((values, name) => {
    const [first = [], ...others] = values.map((value) => setOf(value, name, 17044));
    return others.every((other) => equalValues(first, other));
  }, 2),
  $setDifference: binary(difference),
  $setIsSubset: binary(subset),
  $allElementsTrue: unary((value) => allOf(value).every(isTruthy)),
  $anyElementTrue: unary((value) => anyOf(value).some(isTruthy)),
};
