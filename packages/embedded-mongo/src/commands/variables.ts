import { evaluateExpression } from '../expression/expression.js';
import type { Doc, Value } from '../values/bson.js';
import type { Args } from './arguments.js';

/** Evaluates the expressions in a command's `let`. Returns undefined if it has none. */
export function variablesOf(args: Args, builtin: Doc = {}): Doc | undefined {
  const given = args.document('let');
  if (!given) return undefined;
  const variables: Record<string, Value> = { ...builtin };
  for (const [name, value] of Object.entries(given))
    variables[name] = evaluateExpression(value, {}, variables);
  return variables;
}
