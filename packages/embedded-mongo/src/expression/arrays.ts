import { fieldKey, int, isDoc, isNumeric, newDoc, pathKeys, toNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { compareValues, equalValues } from '../values/compare.js';
import { isIntegral } from '../values/numbers.js';
import {
  arrayArgument,
  binary,
  fail,
  isNullish,
  named,
  nullable,
  typeText,
  unary,
  variadic,
  wholeArgument,
} from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

const elementAt = (array: Value, index: Value): Value => {
  if (isNullish(array) || isNullish(index)) return null;
  const values = arrayArgument(array, 28689, "$arrayElemAt's first argument must be an array, but is ");
  if (!isNumeric(index))
    throw fail(28690, `$arrayElemAt's second argument must be a numeric value, but is ${typeText(index)}`);
  if (!isIntegral(index)) {
    throw fail(
      28691,
      `$arrayElemAt's second argument must be representable as a 32-bit integer: ${toNumber(index)}`,
    );
  }
  return values.at(toNumber(index));
};

const atEnd = (index: 0 | -1): OperatorCompiler =>
  nullable((value, name) =>
    arrayArgument(value, 28689, `${name}'s argument must be an array, but is `).at(index),
  );

/** The count argument of `$firstN` and similar operators: a positive integer. */
const countArgument = (n: Value): number => {
  const count = wholeArgument(n, 5787902, `Value for 'n' must be of integral type, but found ${typeText(n)}`);
  if (count <= 0) throw fail(5787908, `'n' must be greater than 0, found ${count}`);
  return count;
};

const someOf = (pick: (values: Value[], n: number) => Value[]): OperatorCompiler =>
  named(['input', 'n'], ['input', 'n'], ({ input, n }) =>
    pick(arrayArgument(input, 5788200, 'Input must be an array, but found: '), countArgument(n)),
  );

const ranked =
  (sign: 1 | -1) =>
  (values: Value[], n: number): Value[] =>
    values
      .filter((value) => !isNullish(value))
      .sort((a, b) => compareValues(a, b) * sign)
      .slice(0, n);

const slice = variadic(
  (values) => {
    const [array, position, count] = values;
    if (values.some(isNullish)) return null;
    const list = arrayArgument(array, 28724, 'First argument to $slice must be an array, but is of type: ');
    const second = wholeArgument(
      position,
      28725,
      `Second argument to $slice must be a numeric value, but is of type: ${typeText(position)}`,
    );
    if (values.length === 2) return second < 0 ? list.slice(second) : list.slice(0, second);
    const length = wholeArgument(
      count,
      28727,
      `Third argument to $slice must be numeric, but is of type: ${typeText(count)}`,
    );
    if (length <= 0) throw fail(28729, `Third argument to $slice must be positive: ${length}`);
    const start = second < 0 ? Math.max(0, list.length + second) : second;
    return list.slice(start, start + length);
  },
  2,
  3,
);

const contains = (value: Value, array: Value): Value => {
  const values = arrayArgument(array, 40081, '$in requires an array as a second argument, found: ');
  return values.some((element) => equalValues(element, value));
};

const indexOf = variadic(
  ([array, wanted, start, end]) => {
    if (isNullish(array)) return null;
    const values = arrayArgument(
      array,
      40090,
      '$indexOfArray requires an array as a first argument, found: ',
    );
    const from = start === undefined ? 0 : boundArgument(start, 'starting');
    const to = end === undefined ? values.length : Math.min(values.length, boundArgument(end, 'ending'));
    for (let i = from; i < to; i++) if (equalValues(values[i], wanted)) return int(i);
    return int(-1);
  },
  2,
  4,
);

const boundArgument = (value: Value, which: string): number => {
  const index = wholeArgument(
    value,
    40096,
    `$indexOfArray requires an integral ${which} index, found a value of type: ${typeText(value)}`,
  );
  if (index < 0) throw fail(40097, `$indexOfArray requires a nonnegative ${which} index, found: ${index}`);
  return index;
};

const range = variadic(
  ([start, end, step]) => {
    const from = wholeArgument(
      start,
      34443,
      `$range requires a numeric starting value, found value of type: ${typeText(start)}`,
    );
    const to = wholeArgument(
      end,
      34445,
      `$range requires a numeric ending value, found value of type: ${typeText(end)}`,
    );
    const by =
      step === undefined
        ? 1
        : wholeArgument(
            step,
            34447,
            `$range requires a numeric step value, found value of type:${typeText(step)}`,
          );
    if (by === 0) throw fail(34449, '$range requires a non-zero step value');
    const count = Math.max(0, Math.ceil((to - from) / by));
    if (count > 6_000_000) throw fail(146, '$range would use too much memory and cannot spill');
    return Array.from({ length: count }, (_, i) => int(from + i * by));
  },
  2,
  3,
);

const concat = variadic((values) => {
  if (values.some(isNullish)) return null;
  return values.flatMap((value) => arrayArgument(value, 28664, '$concatArrays only supports arrays, not '));
});

const pairOf = (entry: Value): [string, Value] => {
  if (Array.isArray(entry)) {
    if (entry.length !== 2)
      throw fail(
        40397,
        `$arrayToObject requires an array of size 2 arrays,found array of size: ${entry.length}`,
      );
    const [key, value] = entry;
    if (typeof key !== 'string')
      throw fail(
        40395,
        `$arrayToObject requires an array of key-value pairs, where the key must be of type string. Found key type: ${typeText(key)}`,
      );
    return [key, value];
  }
  if (!isDoc(entry))
    throw fail(40398, `Unrecognised input type format for $arrayToObject: ${typeText(entry)}`);
  if (Object.keys(entry).length !== 2)
    throw fail(
      40392,
      `$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect number of keys:${Object.keys(entry).length}`,
    );
  const key = entry['k'];
  if (!Object.hasOwn(entry, 'k') || !Object.hasOwn(entry, 'v')) {
    throw fail(
      40393,
      `$arrayToObject requires an object with keys 'k' and 'v'. Missing either or both keys from: ${Object.keys(entry).join(', ')}`,
    );
  }
  if (typeof key !== 'string')
    throw fail(
      40394,
      `$arrayToObject requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: ${typeText(key)}`,
    );
  return [key, entry['v']];
};

/** Throws unless all entries are `[k, v]` or all are `{ k, v }`. */
const checkSameFormat = (first: Value, entry: Value): void => {
  const [code, format, same] = Array.isArray(first)
    ? [40396, 'Array', Array.isArray(entry)]
    : [40391, 'Object', !isDoc(first) || isDoc(entry)];
  if (same) return;
  throw fail(
    code,
    `$arrayToObject requires a consistent input format. Elements must all be arrays or all be objects. ${format} was detected, now found: ${typeText(entry)}`,
  );
};

const toObject = nullable((value) => {
  const doc = newDoc();
  const entries = arrayArgument(value, 40386, '$arrayToObject requires an array input, found: ');
  for (const entry of entries) {
    checkSameFormat(entries[0], entry);
    const [key, field] = pairOf(entry);
    if (field !== undefined) doc[fieldKey(key)] = field;
  }
  return doc;
});

const zip: OperatorCompiler = named(['inputs', 'defaults', 'useLongestLength'], ['inputs'], (given) => {
  const { inputs, defaults, useLongestLength: longest } = given;
  if (isNullish(inputs)) return null;
  const lists = arrayArgument(inputs, 34461, 'inputs must be an array of expressions, found ');
  if (lists.some(isNullish)) return null;
  const arrays = lists.map((list) =>
    arrayArgument(list, 34468, '$zip found a non-array expression in input: '),
  );
  if (defaults !== undefined && longest !== true)
    throw fail(34466, 'cannot specify defaults unless useLongestLength is true');
  const lengths = arrays.map((array) => array.length);
  const length = longest === true ? Math.max(0, ...lengths) : Math.min(...lengths);
  const fill = Array.isArray(defaults) ? defaults : [];
  if (Array.isArray(defaults) && defaults.length !== arrays.length)
    throw fail(34467, 'defaults and inputs must have the same length');
  return Array.from({ length }, (_, i) =>
    arrays.map((array, j) => (i < array.length ? (array[i] ?? null) : (fill[j] ?? null))),
  );
});

const fieldOf = (value: Value, path: string): Value =>
  pathKeys(path).reduce<Value>(
    (inner, name) => (isDoc(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined),
    value,
  );

const orderOf = (sortBy: Value): ((a: Value, b: Value) => number) => {
  if (isNumeric(sortBy)) {
    const direction = toNumber(sortBy);
    if (Math.abs(direction) !== 1) throw fail(2942507, 'The $sort element value must be either 1 or -1');
    return (a, b) => compareValues(a ?? null, b ?? null) * direction;
  }
  if (!isDoc(sortBy))
    throw fail(
      2942507,
      'The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields',
    );
  const fields = Object.entries(sortBy).map(([path, direction]): [string, number] => [
    path,
    toNumber(direction),
  ]);
  return (a, b) => {
    for (const [path, direction] of fields) {
      const order = compareValues(fieldOf(a, path) ?? null, fieldOf(b, path) ?? null) * direction;
      if (order !== 0) return order;
    }
    return 0;
  };
};

const sortArray: OperatorCompiler = (operand, compile, name) => {
  const spec = isDoc(operand) ? operand['sortBy'] : undefined;
  const order = orderOf(spec);
  const input = isDoc(operand) ? operand['input'] : undefined;
  if (input === undefined) throw fail(2942502, `${name} requires 'input' to be specified`);
  const evaluate = compile(input);
  return (scope) => {
    const value = evaluate(scope);
    if (isNullish(value)) return null;
    return [
      ...arrayArgument(
        value,
        2942504,
        'The input argument to $sortArray must be an array, but was of type: ',
      ),
    ].sort(order);
  };
};

/** Operators on whole arrays. */
export const arrayOperators: Operators = {
  $arrayElemAt: binary(elementAt),
  $first: atEnd(0),
  $last: atEnd(-1),
  $firstN: someOf((values, n) => values.slice(0, n)),
  $lastN: someOf((values, n) => values.slice(-n)),
  $minN: someOf(ranked(1)),
  $maxN: someOf(ranked(-1)),
  $slice: slice,
  $size: unary((value) =>
    int(arrayArgument(value, 17124, 'The argument to $size must be an array, but was of type: ').length),
  ),
  $isArray: unary((value) => Array.isArray(value)),
  $in: binary(contains),
  $indexOfArray: indexOf,
  $range: range,
  $concatArrays: concat,
  $reverseArray: nullable((value) =>
    [
      ...arrayArgument(value, 34435, 'The argument to $reverseArray must be an array, but was of type: '),
    ].reverse(),
  ),
  $arrayToObject: toObject,
  $zip: zip,
  $sortArray: sortArray,
};
