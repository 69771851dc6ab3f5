import type { Doc, Value } from '../values/bson.js';
import { compile } from './compile.js';
import type { Evaluate } from './scope.js';

export { averageOf, deviationOf, extremeOf, percentilesOf, sumOf } from './accumulators.js';

/**
 * Evaluates on a document with variables by name (without `$$`); `NOW` among them sets `$$NOW`. `undefined`
 * is a missing value.
 */
export type CompiledExpression = (doc: Doc, vars?: Readonly<Record<string, Value>>) => Value;

const none: Readonly<Record<string, Value>> = {};

/** Compiles an aggregation expression; malformed ones are refused with MongoDB's codes. */
export const compileExpression = (expression: Value): CompiledExpression => {
  const evaluate: Evaluate = compile(expression);
  return (doc, vars = none) => evaluate({ root: doc, vars });
};

/** Compiles and evaluates once. */
export const evaluateExpression = (expression: Value, doc: Doc, vars: Record<string, Value> = {}): Value =>
  compileExpression(expression)(doc, vars);
