import { double, int, isNumeric, toNumber } from '../values/bson.js';
import type { NumericValue, Value } from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import { divide } from '../values/numbers.js';
import { addLoose } from './arithmetic.js';
import { fail, isNullish, listArguments, named, typeText } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

/** Sum of the numeric values in their widest type, or Int32 0 if there are none. */
export const sumOf = (values: readonly Value[]): NumericValue => {
  let total: NumericValue = int(0);
  for (const value of values) if (isNumeric(value)) total = addLoose(total, value);
  return total;
};

/** Mean of the numeric values, or null if there are none. */
export const averageOf = (values: readonly Value[]): Value => {
  const numbers = values.filter(isNumeric);
  return numbers.length === 0 ? null : divide(sumOf(numbers), int(numbers.length));
};

/**
 * The lowest (-1) or highest (1) value in BSON order, ignoring null and missing values. Null if there are
 * none.
 */
export const extremeOf = (values: readonly Value[], sign: 1 | -1): Value => {
  let best: Value = null;
  for (const value of values) {
    if (isNullish(value)) continue;
    if (best === null || compareValues(value, best) * sign > 0) best = value;
  }
  return best;
};

/** Standard deviation of the numeric values, for a population or a sample. */
export const deviationOf = (values: readonly Value[], sample: boolean): Value => {
  const numbers = values.filter(isNumeric).map(toNumber);
  const count = numbers.length;
  if (count === 0 || (sample && count === 1)) return null;
  const mean = numbers.reduce((total, value) => total + value, 0) / count;
  const squares = numbers.reduce((total, value) => total + (value - mean) ** 2, 0);
  return double(Math.sqrt(squares / (sample ? count - 1 : count)));
};

/**
 * Percentiles `p` (0 to 1) of the numeric values. Each is the lowest value such that at least that share of
 * values is less than or equal to it.
 */
export const percentilesOf = (values: readonly Value[], p: readonly number[]): Value[] => {
  const sorted = values
    .filter(isNumeric)
    .map(toNumber)
    .filter((value) => !Number.isNaN(value));
  sorted.sort((a, b) => a - b);
  return p.map((share) => {
    if (sorted.length === 0) return null;
    return double(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN);
  });
};

/** Applies an operation to the elements of a single array argument, or to the arguments. */
const over =
  (work: (values: Value[]) => Value): OperatorCompiler =>
  (operand, compile) => {
    const list = listArguments(operand, compile);
    const [only] = list;
    if (list.length === 1 && only) {
      return (scope) => {
        const value = only(scope);
        return work(Array.isArray(value) ? value : [value]);
      };
    }
    return (scope) => work(list.map((argument) => argument(scope)));
  };

const inputOf = (input: Value): Value[] => (Array.isArray(input) ? input : [input]);

const shareOf = (value: Value): number => {
  const share = isNumeric(value) ? toNumber(value) : NaN;
  if (!(share >= 0 && share <= 1)) {
    throw fail(
      7750303,
      `The $percentile 'p' array parameter should only contain numbers between 0.0 and 1.0, found: ${typeText(value)}`,
    );
  }
  return share;
};

const percentile = named(['input', 'p', 'method'], ['input', 'p', 'method'], ({ input, p, method }) => {
  if (!Array.isArray(p) || p.length === 0)
    throw fail(7750301, "The $percentile 'p' field must be an array of numbers from [0.0, 1.0]");
  requireApproximate(method);
  return percentilesOf(inputOf(input), p.map(shareOf));
});

const requireApproximate = (method: Value): void => {
  if (method !== 'approximate') {
    throw fail(2, "Currently only 'approximate' can be used as percentile 'method'.");
  }
};

const median = named(['input', 'method'], ['input', 'method'], ({ input, method }) => {
  requireApproximate(method);
  return percentilesOf(inputOf(input), [0.5])[0] ?? null;
});

/** Accumulators used as expressions. */
export const accumulatorOperators: Operators = {
  $sum: over(sumOf),
  $avg: over(averageOf),
  $min: over((values) => extremeOf(values, -1)),
  $max: over((values) => extremeOf(values, 1)),
  $stdDevPop: over((values) => deviationOf(values, false)),
  $stdDevSamp: over((values) => deviationOf(values, true)),
  $percentile: percentile,
  $median: median,
};
