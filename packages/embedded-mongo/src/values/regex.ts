import { BSONRegExp } from 'bson';
import { ServerError } from './errors.js';
import { invalidRegex } from './pcre-class.js';
import { translatePattern } from './pcre.js';

/** A compiled pattern. `groups` and `sameCaptures` are as in `Translation`. */
export interface CompiledRegex {
  readonly regExp: RegExp;
  readonly groups: readonly number[];
  readonly sameCaptures: boolean;
}

const cache = new Map<string, CompiledRegex>();

const compile = (pattern: string, options: string): CompiledRegex => {
  const { source, groups, sameCaptures } = translatePattern(pattern, options);
  try {
    return { regExp: new RegExp(source, 'u'), groups, sameCaptures };
  } catch (error) {
    throw invalidRegex(error instanceof Error ? error.message : String(error));
  }
};

/**
 * Compiles a PCRE pattern with the options `i m s x` to a JavaScript expression. `u` and `l` are accepted
 * without effect. Throws 51091 for an invalid pattern and CommandNotSupported (115) for one without an
 * equivalent.
 */
export const compileRegex = (regex: BSONRegExp): CompiledRegex => {
  const key = `${regex.options}/${regex.pattern}`;
  let compiled = cache.get(key);
  if (!compiled) {
    compiled = compile(regex.pattern, regex.options);
    if (cache.size > 500) cache.clear();
    cache.set(key, compiled);
  }
  return compiled;
};

/** Returns an expression for testing whether a text matches. */
export const toRegExp = (regex: BSONRegExp): RegExp => compileRegex(regex).regExp;

const special = /[.*+?^${}()|[\]\\]/;

/**
 * The text with which every match starts, for an expression anchored by `^` or `\A` without options that
 * change its meaning. `prefixOnly` is true if the expression requires nothing else.
 */
export const prefixOf = (regex: BSONRegExp): { prefix: string; prefixOnly: boolean } => {
  const none = { prefix: '', prefixOnly: false };
  if (/[imx]/.test(regex.options)) return none;
  const anchor = regex.pattern.startsWith('^') ? 1 : regex.pattern.startsWith('\\A') ? 2 : 0;
  // A comment or the end of a quotation could separate a character from its quantifier.
  if (anchor === 0 || /\||\(\?#|\\E/.test(regex.pattern)) return none;
  let prefix = '';
  let i = anchor;
  while (i < regex.pattern.length) {
    let character = regex.pattern[i] ?? '';
    let width = 1;
    if (character === '\\' && /[^A-Za-z0-9]/.test(regex.pattern[i + 1] ?? '')) {
      character = regex.pattern[i + 1] ?? '';
      width = 2;
    } else if (special.test(character)) {
      break;
    }
    // A quantifier that allows zero occurrences removes the character from the prefix.
    if (/[*?{]/.test(regex.pattern[i + width] ?? ''))
      return { prefix: dropHalfPair(prefix), prefixOnly: false };
    prefix += character;
    i += width;
  }
  const rest = regex.pattern.slice(i);
  return { prefix: dropHalfPair(prefix), prefixOnly: rest === '' || rest === '.*' };
};

const dropHalfPair = (text: string): string => (/[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text);

/** Validates the options of a `$regex`. */
export const checkedRegex = (pattern: string, options: string): BSONRegExp => {
  const bad = /[^imsxul]/.exec(options);
  if (bad) throw new ServerError(51108, `invalid flag in regex options: ${bad[0]}`);
  if (pattern.includes('\0'))
    throw new ServerError('BadValue', 'Regular expression cannot contain an embedded null byte');
  const regex = new BSONRegExp(pattern, options);
  toRegExp(regex);
  return regex;
};
