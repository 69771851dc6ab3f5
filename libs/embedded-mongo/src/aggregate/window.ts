import { Lazy } from 'mingo/lazy';
import type { AnyObject, Options } from 'mingo/types';
import { $densify, $fill, $setWindowFields } from 'mingo/operators/pipeline';
import { isDoc, typeName, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { fromExpressionValue, mingoOptions, toExpressionValue } from '../expression/expression.js';
import type { StageBuilder } from './context.js';
import { MemoryBudget } from './memory.js';
import { blocking, collect } from './stream.js';

type Operator = (
  source: ReturnType<typeof Lazy>,
  spec: AnyObject,
  options: Options,
) => ReturnType<typeof Lazy>;

/** mingo checks the specifications itself; its types for them are narrower than what a client may send. */
const operators = { $densify, $fill, $setWindowFields } as unknown as Readonly<Record<string, Operator>>;

/** Stages over windows and series, which mingo computes with our expressions and types. */
export const windowStage =
  (name: '$densify' | '$fill' | '$setWindowFields'): StageBuilder =>
  (spec, context) => {
    if (!isDoc(spec)) {
      throw new ServerError(
        'FailedToParse',
        `the ${name} stage specification must be an object, found ${typeName(spec)}`,
      );
    }
    const operator = operators[name]!;
    return blocking(async (input) => {
      const budget = new MemoryBudget(name);
      const docs = await collect(input, (batch) => batch.forEach((doc) => budget.addValue(doc)));
      const source = Lazy(docs.map((doc) => toExpressionValue(doc)));
      const results = operator(source, spec, mingoOptions(context.variables)).collect<unknown>();
      return results.map((result) => fromExpressionValue(result) as Doc);
    });
  };
