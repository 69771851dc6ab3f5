import type { Doc, Value } from '../values/bson.js';
import { compile } from './compile.js';
import type { Evaluate } from './scope.js';

export { averageOf, deviationOf, extremeOf, percentilesOf, sumOf } from './accumulators.js';

/**
 * Evaluates an expression on a document. `vars` are variables by name without `$$`; `NOW` sets `$$NOW`.
 * Returns `undefined` for a missing value.
 */
export type CompiledExpression = (doc: Doc, vars?: Readonly<Record<string, Value>>) => Value;

const none: Readonly<Record<string, Value>> = {};

/** Compiles an aggregation expression. Throws MongoDB's errors if it is malformed. */
export const compileExpression = (expression: Value): CompiledExpression => {
  const evaluate: Evaluate = compile(expression);
  return (doc, vars = none) => evaluate({ root: doc, vars });
};

/** Compiles an expression and evaluates it once. */
export const evaluateExpression = (expression: Value, doc: Doc, vars: Record<string, Value> = {}): Value =>
  compileExpression(expression)(doc, vars);
