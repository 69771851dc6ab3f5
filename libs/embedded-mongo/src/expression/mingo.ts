import { BSONRegExp, Double, Int32 } from 'bson';
import { Context, ProcessingMode } from 'mingo/core';
import type { AccumulatorOperator, ExpressionOperator, Options } from 'mingo/types';
import * as accumulators from 'mingo/operators/accumulator';
import * as pipeline from 'mingo/operators/pipeline';
import * as window from 'mingo/operators/window';
import { isDoc, newDoc, typeNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { isInt32Number } from '../values/types.js';
import { averageOf, deviationOf, extremeOf, sumOf } from './accumulators.js';
import { compile, operators } from './compile.js';
import type { Evaluate } from './scope.js';

/** What mingo tells its operators of the document at hand; its types call it opaque. */
interface MingoLocals {
  local?: { root?: Value; variables?: Record<string, Value> };
  variables?: Record<string, Value>;
  now?: Date;
}

const compiled = new WeakMap<object, Map<string, Evaluate>>();

/** Compiles each operand once: mingo hands the same object over for every document. */
const compileOnce = (name: string, operand: Value): Evaluate => {
  if (typeof operand !== 'object' || operand === null) return compile({ [name]: operand });
  let known = compiled.get(operand);
  if (!known) compiled.set(operand, (known = new Map()));
  let evaluate = known.get(name);
  if (!evaluate) known.set(name, (evaluate = compile({ [name]: operand })));
  return evaluate;
};

const asMingo =
  (name: string) =>
  (doc: unknown, operand: unknown, options: unknown): unknown => {
    const { local, variables, now } = options as MingoLocals;
    const vars: Record<string, Value> = { ...variables, ...local?.variables };
    if (now && vars['NOW'] === undefined) vars['NOW'] = now;
    const root = local?.root ?? (doc as Value);
    if (doc !== root) vars['CURRENT'] = doc as Value;
    return compileOnce(name, operand as Value)({ root, vars });
  };

/** Values of one field over the documents of a group. */
const valuesOf = (docs: unknown[], operand: unknown, options: unknown): Value[] => {
  const { variables, local } = options as MingoLocals;
  const evaluate = compile(operand as Value);
  return docs.map((doc) => evaluate({ root: doc as Value, vars: { ...variables, ...local?.variables } }));
};

const overGroup =
  (work: (values: Value[]) => Value) =>
  (docs: unknown[], operand: unknown, options: unknown): unknown =>
    work(valuesOf(docs, operand, options));

const typedAccumulators = {
  $sum: overGroup(sumOf),
  $avg: overGroup(averageOf),
  $min: overGroup((values) => extremeOf(values, -1)),
  $max: overGroup((values) => extremeOf(values, 1)),
  $stdDevPop: overGroup((values) => deviationOf(values, false)),
  $stdDevSamp: overGroup((values) => deviationOf(values, true)),
};

const groupOnly = new Set(Object.keys(typedAccumulators));

/** mingo's signatures are narrower than what it calls its operators with. */
const context = Context.init({
  expression: Object.fromEntries(
    Object.keys(operators)
      .filter((name) => !groupOnly.has(name))
      .map((name) => [name, asMingo(name) as unknown as ExpressionOperator]),
  ),
  accumulator: {
    ...(accumulators as unknown as Record<string, AccumulatorOperator>),
    ...(typedAccumulators as unknown as Record<string, AccumulatorOperator>),
  },
  pipeline: pipeline as unknown as Parameters<Context['addPipelineOps']>[0],
  window: window as unknown as Parameters<Context['addWindowOps']>[0],
});

/** Options for mingo's own stages: our expression operators over typed values, `vars` as variables, no scripts. */
export const mingoOptions = (vars: Record<string, Value> = {}): Options => ({
  idKey: '_id',
  processingMode: ProcessingMode.CLONE_OFF,
  useStrictMode: true,
  scriptEnabled: false,
  failOnError: true,
  variables: vars,
  context,
});

/** Numbers that mingo may compute with and that keep their type on the way back. */
const plainNumber = (value: Int32 | Double): number | Int32 | Double => {
  if (value instanceof Int32) return value.value;
  return isInt32Number(value.value) ? value : value.value;
};

/**
 * A value as mingo's own stages take it: Int32 and fractional Double as numbers, since those types come back by themselves;
 * all else as it is.
 */
export const toExpressionValue = (value: Value): unknown => {
  if (value instanceof Int32 || value instanceof Double) return plainNumber(value);
  if (Array.isArray(value)) return value.map(toExpressionValue);
  if (!isDoc(value)) return value;
  const doc: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    Object.defineProperty(doc, name, {
      value: toExpressionValue(value[name]),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return doc;
};

/** Back from mingo: numbers become Int32 or Double, `RegExp` a BSON regular expression. */
export const fromExpressionValue = (value: unknown): Value => {
  if (typeof value === 'number') return isInt32Number(value) ? new Int32(value) : new Double(value);
  if (Array.isArray(value)) return value.map(fromExpressionValue);
  if (value instanceof RegExp) return new BSONRegExp(value.source, value.flags.replace(/[^imsx]/g, ''));
  if (!isDoc(value))
    return typeof value === 'symbol' || typeNumber(value as Value) === 6 ? undefined : (value as Value);
  const doc = newDoc();
  for (const name of Object.keys(value)) doc[name] = fromExpressionValue(value[name]);
  return doc;
};
