import { BSONRegExp } from 'bson';
import { int } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { unsupportedRegex } from '../values/pcre-class.js';
import { checkedRegex, compileRegex, type CompiledRegex } from '../values/regex.js';
import { fail, isNullish, named, typeText } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

const patternOf = (regex: Value, options: Value, name: string): CompiledRegex | undefined => {
  if (isNullish(regex)) return undefined;
  if (options !== undefined && options !== null && typeof options !== 'string') {
    throw fail(51106, `${name} needs 'options' to be of type string`);
  }
  if (regex instanceof BSONRegExp) {
    if (regex.options !== '' && typeof options === 'string' && options !== '') {
      throw fail(51107, `${name}: found regex options specified in both 'regex' and 'options' fields`);
    }
    return compileRegex(checkedRegex(regex.pattern, options || regex.options));
  }
  if (typeof regex !== 'string') throw fail(51105, `${name} needs 'regex' to be of type string or regex`);
  return compileRegex(checkedRegex(regex, options || ''));
};

const matchDoc = (match: RegExpExecArray, { groups }: CompiledRegex): Doc => ({
  match: match[0],
  idx: int([...match.input.slice(0, match.index)].length),
  captures: groups.map((group) => match[group] ?? null),
});

const regexOperator = (
  onNull: Value,
  work: (pattern: CompiledRegex, text: string) => Value,
): OperatorCompiler =>
  named(['input', 'regex', 'options'], ['input', 'regex'], ({ input, regex, options }, name) => {
    const pattern = patternOf(regex, options, name);
    if (isNullish(input) || !pattern) return onNull;
    if (typeof input !== 'string')
      throw fail(51104, `${name} needs 'input' to be of type string, found ${typeText(input)}`);
    return work(pattern, input);
  });

/** Rejects a pattern if JavaScript's capture groups could differ from PCRE's. */
const withCaptures =
  (work: (pattern: CompiledRegex, text: string) => Value) =>
  (pattern: CompiledRegex, text: string): Value => {
    if (!pattern.sameCaptures)
      throw unsupportedRegex('capture groups combined with a repeated group that can match nothing');
    return work(pattern, text);
  };

const find = (pattern: CompiledRegex, text: string): Value => {
  const match = pattern.regExp.exec(text);
  return match ? matchDoc(match, pattern) : null;
};

const findAll = (pattern: CompiledRegex, text: string): Doc[] => {
  const { source, flags } = pattern.regExp;
  return [...text.matchAll(new RegExp(source, `${flags}g`))].map((match) => matchDoc(match, pattern));
};

export const regexOperators: Operators = {
  $regexMatch: regexOperator(false, (pattern, text) => pattern.regExp.test(text)),
  $regexFind: regexOperator(null, withCaptures(find)),
  $regexFindAll: regexOperator([], withCaptures(findAll)),
};
