import { BSONRegExp } from 'bson';
import { int } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { checkedRegex, toRegExp } from '../values/regex.js';
import { fail, isNullish, named, typeText } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

const patternOf = (regex: Value, options: Value, name: string): RegExp | undefined => {
  if (isNullish(regex)) return undefined;
  if (options !== undefined && options !== null && typeof options !== 'string') {
    throw fail(51106, `${name} needs 'options' to be of type string`);
  }
  if (regex instanceof BSONRegExp) {
    if (regex.options !== '' && typeof options === 'string' && options !== '') {
      throw fail(51107, `${name}: found regex options specified in both 'regex' and 'options' fields`);
    }
    return toRegExp(checkedRegex(regex.pattern, options || regex.options));
  }
  if (typeof regex !== 'string') throw fail(51105, `${name} needs 'regex' to be of type string or regex`);
  return toRegExp(checkedRegex(regex, options || ''));
};

const matchDoc = (match: RegExpExecArray): Doc => ({
  match: match[0],
  idx: int([...match.input.slice(0, match.index)].length),
  captures: match.slice(1).map((capture: string | undefined) => capture ?? null),
});

const regexOperator = (onNull: Value, work: (pattern: RegExp, text: string) => Value): OperatorCompiler =>
  named(['input', 'regex', 'options'], ['input', 'regex'], ({ input, regex, options }, name) => {
    const pattern = patternOf(regex, options, name);
    if (isNullish(input) || !pattern) return onNull;
    if (typeof input !== 'string')
      throw fail(51104, `${name} needs 'input' to be of type string, found ${typeText(input)}`);
    return work(pattern, input);
  });

const findAll = (pattern: RegExp, text: string): Doc[] => {
  const global = new RegExp(pattern.source, `${pattern.flags}g`);
  return [...text.matchAll(global)].map((match) => matchDoc(match));
};

export const regexOperators: Operators = {
  $regexMatch: regexOperator(false, (pattern, text) => pattern.test(text)),
  $regexFind: regexOperator(null, (pattern, text) => {
    const match = pattern.exec(text);
    return match ? matchDoc(match) : null;
  }),
  $regexFindAll: regexOperator([], findAll),
};
