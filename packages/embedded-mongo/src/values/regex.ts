import { BSONRegExp } from 'bson';
import { ServerError } from './errors.js';

/** PCRE's `x`: white space and `#` comments outside of classes mean nothing. */
const stripExtended = (pattern: string): string => {
  let out = '';
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] ?? '';
    if (character === '\\') {
      out += character + (pattern[++i] ?? '');
    } else if (inClass) {
      inClass = character !== ']';
      out += character;
    } else if (character === '[') {
      inClass = true;
      out += character;
      // A closing bracket that comes first belongs to the class.
      if (pattern[i + 1] === '^') out += pattern[++i] ?? '';
      if (pattern[i + 1] === ']') out += `\\${pattern[++i] ?? ''}`;
    } else if (character === '#') {
      while (i + 1 < pattern.length && pattern[i + 1] !== '\n') i++;
    } else if (!/\s/.test(character)) {
      out += character;
    }
  }
  return out;
};

const posixClasses: Record<string, string> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '\\x21-\\x7e',
  lower: 'a-z',
  print: '\\x20-\\x7e',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};

/** Writes what PCRE has and JavaScript has not in JavaScript's terms. */
const translate = (pattern: string): string =>
  pattern
    .replace(/\[:(\^?)(\w+):\]/g, (whole, negated: string, name: string) =>
      negated ? whole : (posixClasses[name] ?? whole),
    )
    .replace(/(^|[^\\])((?:\\\\)*)\\A/g, '$1$2(?<![\\s\\S])')
    .replace(/(^|[^\\])((?:\\\\)*)\\Z/g, '$1$2(?=\\n?(?![\\s\\S]))')
    .replace(/(^|[^\\])((?:\\\\)*)\\z/g, '$1$2(?![\\s\\S])')
    .replace(/(^|[^\\])((?:\\\\)*)\\h/g, '$1$2[ \\t]')
    .replace(/\(\?P<(\w+)>/g, '(?<$1>')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\(\?#[^)]*\)/g, '')
    .replace(/([*+?}])\+/g, '$1');

/** Options given in front of the pattern, such as `(?i)`. */
const leadingOptions = (pattern: string): { pattern: string; options: string } => {
  const found = /^\(\?([imsx]+)\)/.exec(pattern);
  return found
    ? { pattern: pattern.slice(found[0].length), options: found[1] ?? '' }
    : { pattern, options: '' };
};

const cache = new Map<string, RegExp>();

const compile = (pattern: string, options: string): RegExp => {
  const leading = leadingOptions(pattern);
  const all = options + leading.options;
  let source = leading.pattern;
  if (all.includes('x')) source = stripExtended(source);
  const flags = (['i', 'm', 's'] as const).filter((flag) => all.includes(flag)).join('');
  const translated = translate(source);
  try {
    return new RegExp(translated, `${flags}u`);
  } catch {
    // Escapes such as \- and \_ are errors in unicode mode and harmless without.
  }
  try {
    return new RegExp(translated, flags);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServerError(51091, `Regular expression is invalid: ${reason}`);
  }
};

/** The JavaScript expression for a PCRE pattern with the options `i m s x` (`u` and `l` are accepted and mean nothing). */
export const toRegExp = (regex: BSONRegExp): RegExp => {
  const key = `${regex.options}/${regex.pattern}`;
  let compiled = cache.get(key);
  if (!compiled) {
    compiled = compile(regex.pattern, regex.options);
    if (cache.size > 500) cache.clear();
    cache.set(key, compiled);
  }
  return compiled;
};

const special = /[.*+?^${}()|[\]\\]/;

/**
 * The text that every match begins with, for an expression anchored by `^` or `\A` and without options that change its
 * meaning; `prefixOnly` when it demands nothing more.
 */
export const prefixOf = (regex: BSONRegExp): { prefix: string; prefixOnly: boolean } => {
  const none = { prefix: '', prefixOnly: false };
  if (/[imx]/.test(regex.options)) return none;
  const anchor = regex.pattern.startsWith('^') ? 1 : regex.pattern.startsWith('\\A') ? 2 : 0;
  if (anchor === 0 || regex.pattern.includes('|')) return none;
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
    // A quantifier that allows none takes the character out of the prefix.
    if (/[*?{]/.test(regex.pattern[i + width] ?? ''))
      return { prefix: dropHalfPair(prefix), prefixOnly: false };
    prefix += character;
    i += width;
  }
  const rest = regex.pattern.slice(i);
  return { prefix: dropHalfPair(prefix), prefixOnly: rest === '' || rest === '.*' };
};

const dropHalfPair = (text: string): string => (/[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text);

/** Checks the options of a `$regex`. */
export const checkedRegex = (pattern: string, options: string): BSONRegExp => {
  const bad = /[^imsxul]/.exec(options);
  if (bad) throw new ServerError(51108, `invalid flag in regex options: ${bad[0]}`);
  if (pattern.includes('\0'))
    throw new ServerError('BadValue', 'Regular expression cannot contain an embedded null byte');
  const regex = new BSONRegExp(pattern, options);
  toRegExp(regex);
  return regex;
};
