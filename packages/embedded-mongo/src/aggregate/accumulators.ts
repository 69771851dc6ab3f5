import {
  double,
  int,
  isDoc,
  isNumeric,
  newDoc,
  toNumber,
  typeName,
  type Doc,
  type NumericValue,
  type Value,
} from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import { ServerError, unsupported } from '../values/errors.js';
import { add, divide } from '../values/numbers.js';
import { compileSort } from '../query/sort.js';
import type { AccumulatorFactory } from './accumulator.js';
import { bindExpression, constant, type PipelineContext } from './context.js';
import { valueKey } from './value-key.js';

type Evaluate = (doc: Doc) => Value;

const isAbsent = (value: Value): boolean => value === null || value === undefined;

/**
 * A running sum in the widest type seen so far. An int that overflows becomes a long, and a long a double.
 */
export class Sum {
  private total: NumericValue = int(0);

  add(value: Value): void {
    if (!isNumeric(value)) return;
    this.total = add(this.total, value) ?? double(toNumber(this.total) + toNumber(value));
  }

  get value(): NumericValue {
    return this.total;
  }
}

const folding =
  <State>(start: () => State, step: (state: State, value: Value) => State, end: (state: State) => Value) =>
  (evaluate: Evaluate): AccumulatorFactory =>
  () => {
    let state = start();
    return {
      add: (doc) => {
        state = step(state, evaluate(doc));
      },
      result: () => end(state),
    };
  };

const sum = folding(
  () => new Sum(),
  (total, value) => {
    total.add(value);
    return total;
  },
  (total) => total.value,
);

const avg = folding(
  () => ({ total: new Sum(), count: 0 }),
  (state, value) => {
    if (isNumeric(value)) {
      state.total.add(value);
      state.count += 1;
    }
    return state;
  },
  ({ total, count }) => (count === 0 ? null : divide(total.value, int(count))),
);

const extreme = (sign: 1 | -1) =>
  folding<Value>(
    () => undefined,
    (best, value) =>
      isAbsent(value) || (best !== undefined && sign * compareValues(value, best) >= 0) ? best : value,
    (best) => best ?? null,
  );

const first = folding<{ value: Value } | undefined>(
  () => undefined,
  (found, value) => found ?? { value },
  (found) => found?.value ?? null,
);

const last = folding<Value>(
  () => null,
  (_, value) => value,
  (value) => value ?? null,
);

const push =
  (evaluate: Evaluate): AccumulatorFactory =>
  (budget) => {
    const values: Value[] = [];
    return {
      add: (doc) => {
        const value = evaluate(doc);
        if (value === undefined) return;
        budget.addValue(value);
        values.push(value);
      },
      result: () => values,
    };
  };

const addToSet =
  (evaluate: Evaluate): AccumulatorFactory =>
  (budget) => {
    const values = new Map<string, Value>();
    return {
      add: (doc) => {
        const value = evaluate(doc);
        if (value === undefined) return;
        const key = valueKey(value);
        if (values.has(key)) return;
        budget.addValue(value);
        values.set(key, value);
      },
      result: () => [...values.values()],
    };
  };

const mergeObjects = folding(
  () => newDoc(),
  (merged, value) => {
    if (isAbsent(value)) return merged;
    if (!isDoc(value)) {
      throw new ServerError(
        40400,
        `$mergeObjects requires object inputs, but input ${typeName(value)} is of type ${typeName(value)}`,
      );
    }
    return Object.assign(merged, value);
  },
  (merged) => merged,
);

/** Running variance by Welford's algorithm. */
const standardDeviation = (sample: boolean) =>
  folding(
    () => ({ count: 0, mean: 0, squares: 0 }),
    (state, value) => {
      if (!isNumeric(value)) return state;
      const number = toNumber(value);
      const delta = number - state.mean;
      const count = state.count + 1;
      const mean = state.mean + delta / count;
      return { count, mean, squares: state.squares + delta * (number - mean) };
    },
    ({ count, squares }) => {
      const divisor = sample ? count - 1 : count;
      return divisor <= 0 ? null : double(Math.sqrt(squares / divisor));
    },
  );

const simple: Readonly<Record<string, (evaluate: Evaluate) => AccumulatorFactory>> = {
  $sum: sum,
  $avg: avg,
  $min: extreme(1),
  $max: extreme(-1),
  $first: first,
  $last: last,
  $push: push,
  $addToSet: addToSet,
  $mergeObjects: mergeObjects,
  $stdDevPop: standardDeviation(false),
  $stdDevSamp: standardDeviation(true),
};

const asDoc = (name: string, spec: Value): Doc => {
  if (!isDoc(spec))
    throw new ServerError(5788001, `specification must be an object; found ${name}: ${typeName(spec)}`);
  return spec;
};

function howMany(name: string, spec: Doc, context: PipelineContext): number {
  const n = spec['n'];
  const value = n === undefined ? undefined : constant(n, context);
  if (!isNumeric(value) || !Number.isInteger(toNumber(value)) || toNumber(value) < 1) {
    throw new ServerError(5787908, `'n' must be a positive integer for ${name}`);
  }
  return toNumber(value);
}

/** `$firstN`, `$lastN`, `$minN` and `$maxN`. */
function severalOf(name: string, raw: Value, context: PipelineContext): AccumulatorFactory {
  const spec = asDoc(name, raw);
  const n = howMany(name, spec, context);
  const evaluate = bindExpression(spec['input'], context);
  return (budget) => {
    let values: Value[] = [];
    const order = name === '$minN' ? compareValues : (a: Value, b: Value): number => compareValues(b, a);
    const sorted = name === '$minN' || name === '$maxN';
    return {
      add: (doc) => {
        const value = evaluate(doc) ?? null;
        if (sorted && value === null) return;
        if (name === '$firstN' && values.length >= n) return;
        values.push(value);
        if (values.length <= n * 2) budget.addValue(value);
        if (name === '$lastN' && values.length > n) values.shift();
        if (sorted && values.length > n * 2 + 100) values = values.sort(order).slice(0, n);
      },
      result: () => (sorted ? values.sort(order).slice(0, n) : values),
    };
  };
}

/** `$top`, `$bottom`, `$topN` and `$bottomN`. */
function ranked(name: string, raw: Value, context: PipelineContext): AccumulatorFactory {
  const spec = asDoc(name, raw);
  const many = name.endsWith('N');
  const n = many ? howMany(name, spec, context) : 1;
  const order = compileSort(asDoc(`${name}.sortBy`, spec['sortBy']), context.collation);
  const evaluate = bindExpression(spec['output'], context);
  const bottom = name.startsWith('$bottom');
  return (budget) => {
    let rows: { key: Value[]; value: Value; at: number }[] = [];
    let at = 0;
    const compare = (a: (typeof rows)[number], b: (typeof rows)[number]): number =>
      order.compareKeys(a.key, b.key) || a.at - b.at;
    const trim = (): void => {
      rows.sort(compare);
      rows = bottom ? rows.slice(-n) : rows.slice(0, n);
    };
    return {
      add: (doc) => {
        const value = evaluate(doc) ?? null;
        if (rows.length <= n) budget.addValue(value);
        rows.push({ key: order.sortKey(doc), value, at: at++ });
        if (rows.length > n * 2 + 100) trim();
      },
      result: () => {
        trim();
        const values = rows.map(({ value }) => value);
        return many ? values : (values[0] ?? null);
      },
    };
  };
}

/** `$median` and `$percentile`, computed by the discrete method. */
function percentiles(name: string, raw: Value, context: PipelineContext): AccumulatorFactory {
  const spec = asDoc(name, raw);
  const evaluate = bindExpression(spec['input'], context);
  const given = name === '$median' ? [double(0.5)] : constant(spec['p'], context);
  if (!Array.isArray(given) || given.length === 0 || !given.every(isFraction)) {
    throw new ServerError(7750301, "The $percentile 'p' field must be an array of numbers from 0 to 1");
  }
  return (budget) => {
    const numbers: number[] = [];
    return {
      add: (doc) => {
        const value = evaluate(doc);
        if (!isNumeric(value)) return;
        budget.add(8);
        numbers.push(toNumber(value));
      },
      result: () => {
        numbers.sort((a, b) => a - b);
        const at = (p: number): Value =>
          numbers.length === 0 ? null : double(numbers[Math.max(0, Math.ceil(p * numbers.length) - 1)]!);
        const values = given.map((p) => at(toNumber(p)));
        return name === '$median' ? values[0] : values;
      },
    };
  };
}

const isFraction = (value: Value): boolean =>
  isNumeric(value) && toNumber(value) >= 0 && toNumber(value) <= 1;

const counting = (): AccumulatorFactory => () => {
  const total = new Sum();
  return { add: () => total.add(int(1)), result: () => total.value };
};

/** Compiles the accumulator named in `{ $op: argument }`. Throws 15952 for an unknown one. */
export function compileAccumulator(field: string, spec: Value, context: PipelineContext): AccumulatorFactory {
  const [name, ...more] = isDoc(spec) ? Object.keys(spec) : [];
  if (!isDoc(spec) || name === undefined || !name.startsWith('$')) {
    throw new ServerError(40234, `The field '${field}' must be an accumulator object`);
  }
  if (more.length > 0) throw new ServerError(40238, `The field '${field}' must specify one accumulator`);
  const argument = spec[name];
  const plain = simple[name];
  if (plain) {
    if (Array.isArray(argument) && argument.length !== 1) {
      throw new ServerError(40237, `The ${name} accumulator is a unary operator`);
    }
    return plain(bindExpression(Array.isArray(argument) ? argument[0] : argument, context));
  }
  if (name === '$count') {
    if (!isDoc(argument) || Object.keys(argument).length > 0)
      throw new ServerError('TypeMismatch', '$count takes no arguments, i.e. $count:{}');
    return counting();
  }
  if (['$firstN', '$lastN', '$minN', '$maxN'].includes(name)) return severalOf(name, argument, context);
  if (['$top', '$bottom', '$topN', '$bottomN'].includes(name)) return ranked(name, argument, context);
  if (name === '$median' || name === '$percentile') return percentiles(name, argument, context);
  if (name === '$accumulator') throw unsupported(name);
  throw new ServerError(15952, `unknown group operator '${name}'`);
}
