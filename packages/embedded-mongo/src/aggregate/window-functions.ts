import { double, int, isDoc, isNumeric, toNumber, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { AccumulatorFactory } from './accumulator.js';
import { compileAccumulator } from './accumulators.js';
import { bindExpression, constant, type PipelineContext } from './context.js';
import { MemoryBudget } from './memory.js';
import { parseBounds, position, unitMillis, type Bounds } from './window-bounds.js';

/** One partition in its order. `ties[i]`: the document sorts the same as the one before it. */
export interface Partition {
  docs: readonly Doc[];
  /** Values of the first sort field. */
  sortValues: readonly Value[];
  ties: readonly boolean[];
}

/** Computes one output field of every document of a partition. */
export type WindowFunction = (partition: Partition) => Value[];

interface Situation {
  context: PipelineContext;
  sortFields: number;
  window: Value;
}

const badArgument = (name: string, what: string): ServerError =>
  new ServerError('FailedToParse', `${name} ${what}`);

/** An accumulator over the window of each document; windows that share their beginning are gathered once. */
function overWindows(make: AccumulatorFactory, bounds: Bounds): WindowFunction {
  const settled = (value: Value): Value => (Array.isArray(value) ? value.slice() : value);
  return ({ docs, sortValues }) => {
    if (bounds.kind === 'sliding') {
      return docs.map((_, index) => {
        const accumulator = make(new MemoryBudget('$setWindowFields'));
        const { start, end } = bounds.span(index, sortValues);
        for (let at = start; at < end; at++) accumulator.add(docs[at]!);
        return accumulator.result() ?? null;
      });
    }
    const accumulator = make(new MemoryBudget('$setWindowFields'));
    let added = 0;
    return docs.map((_, index) => {
      const { end } = bounds.span(index, sortValues);
      for (; added < end; added++) accumulator.add(docs[added]!);
      return settled(accumulator.result() ?? null);
    });
  };
}

const documentNumber: WindowFunction = ({ docs }) => docs.map((_, index) => int(index + 1));

const rank: WindowFunction = ({ docs, ties }) => {
  let current = 0;
  return docs.map((_, index) => {
    if (!ties[index]) current = index + 1;
    return int(current);
  });
};

const denseRank: WindowFunction = ({ docs, ties }) => {
  let current = 0;
  return docs.map((_, index) => {
    if (!ties[index]) current += 1;
    return int(current);
  });
};

function shift(argument: Value, context: PipelineContext): WindowFunction {
  if (!isDoc(argument) || !isNumeric(argument['by']))
    throw badArgument('$shift', "requires 'output' and an integer 'by'");
  const by = toNumber(argument['by']);
  const output = bindExpression(argument['output'], context);
  const fallback = argument['default'] === undefined ? null : constant(argument['default'], context);
  return ({ docs }) =>
    docs.map((_, index) => {
      const other = docs[index + by];
      return other ? (output(other) ?? null) : fallback;
    });
}

function movingAverage(argument: Value, context: PipelineContext): WindowFunction {
  if (!isDoc(argument)) throw badArgument('$expMovingAvg', 'must have an object argument');
  const { N, alpha } = argument;
  const weight = isNumeric(N) ? 2 / (toNumber(N) + 1) : isNumeric(alpha) ? toNumber(alpha) : NaN;
  if (!(weight > 0 && weight <= 1))
    throw badArgument('$expMovingAvg', "requires a positive 'N' or an 'alpha' between 0 and 1");
  const input = bindExpression(argument['input'], context);
  return ({ docs }) => {
    let average: number | undefined;
    return docs.map((doc) => {
      const value = input(doc);
      if (!isNumeric(value)) return average === undefined ? null : double(average);
      average = average === undefined ? toNumber(value) : toNumber(value) * weight + average * (1 - weight);
      return double(average);
    });
  };
}

/** `$derivative` and `$integral` over what the window covers, on the axis of the sort. */
function calculus(name: string, argument: Value, { context, sortFields, window }: Situation): WindowFunction {
  if (!isDoc(argument)) throw badArgument(name, 'must have an object argument');
  const input = bindExpression(argument['input'], context);
  const unit = unitMillis(argument['unit']);
  const bounds = parseBounds(window, sortFields);
  return ({ docs, sortValues }) =>
    docs.map((_, index) => {
      const { start, end } = bounds.span(index, sortValues);
      const at = (i: number): [number, number] => [position(sortValues[i]), toNumber(input(docs[i]!))];
      if (name === '$derivative') {
        if (end - start < 2) return null;
        const [x0, y0] = at(start);
        const [x1, y1] = at(end - 1);
        return double(((y1 - y0) / (x1 - x0)) * unit);
      }
      let area = 0;
      for (let i = start + 1; i < end; i++) {
        const [x0, y0] = at(i - 1);
        const [x1, y1] = at(i);
        area += ((y0 + y1) / 2) * (x1 - x0);
      }
      return end > start ? double(area / unit) : null;
    });
}

function covariance(sample: boolean, argument: Value, context: PipelineContext): AccumulatorFactory {
  if (!Array.isArray(argument) || argument.length !== 2)
    throw badArgument('$covariance', 'requires an array of two expressions');
  const [x, y] = argument.map((expression) => bindExpression(expression, context));
  return () => {
    let count = 0;
    let meanX = 0;
    let meanY = 0;
    let products = 0;
    return {
      add(doc) {
        const [a, b] = [x!(doc), y!(doc)];
        if (!isNumeric(a) || !isNumeric(b)) return;
        count += 1;
        const delta = toNumber(a) - meanX;
        meanX += delta / count;
        meanY += (toNumber(b) - meanY) / count;
        products += delta * (toNumber(b) - meanY);
      },
      result() {
        const divisor = sample ? count - 1 : count;
        return divisor <= 0 ? null : double(products / divisor);
      },
    };
  };
}

const carryForward =
  (evaluate: (doc: Doc) => Value): WindowFunction =>
  ({ docs }) => {
    let known: Value = null;
    return docs.map((doc) => (known = evaluate(doc) ?? known));
  };

/** Missing values on a line between the known ones beside them. */
const linearFill =
  (evaluate: (doc: Doc) => Value): WindowFunction =>
  ({ docs, sortValues }) => {
    const values = docs.map((doc) => evaluate(doc) ?? null);
    const known = values.map((value, index) => (value === null ? -1 : index)).filter((index) => index >= 0);
    return values.map((value, index) => {
      if (value !== null) return value;
      const before = known.filter((at) => at < index).at(-1);
      const after = known.find((at) => at > index);
      if (before === undefined || after === undefined) return null;
      const [x0, x1] = [position(sortValues[before]), position(sortValues[after])];
      const [y0, y1] = [toNumber(values[before]), toNumber(values[after])];
      return double(y0 + ((y1 - y0) * (position(sortValues[index]) - x0)) / (x1 - x0));
    });
  };

const ranks: Readonly<Record<string, WindowFunction>> = {
  $documentNumber: documentNumber,
  $rank: rank,
  $denseRank: denseRank,
};

/** The function that `{ $op: argument, window? }` names. */
export function compileWindowFunction(
  field: string,
  name: string,
  argument: Value,
  situation: Situation,
): WindowFunction {
  const { context, sortFields, window } = situation;
  const ranking = ranks[name];
  if (ranking) {
    if (sortFields === 0)
      throw new ServerError(5371602, `${name} must be specified with a top level sortBy expression`);
    return ranking;
  }
  if (name === '$shift') return shift(argument, context);
  if (name === '$expMovingAvg') return movingAverage(argument, context);
  if (name === '$derivative' || name === '$integral') return calculus(name, argument, situation);
  if (name === '$locf') return carryForward(bindExpression(argument, context));
  if (name === '$linearFill') return linearFill(bindExpression(argument, context));
  const bounds = parseBounds(window, sortFields);
  if (name === '$covariancePop' || name === '$covarianceSamp') {
    return overWindows(covariance(name === '$covarianceSamp', argument, context), bounds);
  }
  return overWindows(compileAccumulator(field, { [name]: argument }, context), bounds);
}
