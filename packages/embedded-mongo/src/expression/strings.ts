import { BSONSymbol, Code, ObjectId } from 'bson';
import { formatValue, int, isNumeric, toNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { compareUtf8 } from '../values/compare.js';
import { binary, fail, isNullish, named, typeText, unary, variadic, wholeArgument } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';

/**
 * Converts a scalar to the text used by string operators. Numbers, dates, ids and missing values are
 * converted; other types are rejected.
 */
export const coerceToString = (value: Value): string => {
  if (typeof value === 'string') return value;
  if (isNullish(value)) return '';
  if (isNumeric(value)) return String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof BSONSymbol) return value.value;
  if (value instanceof Code) return value.code;
  if (value instanceof ObjectId) return value.toHexString();
  throw fail(16007, `can't convert from BSON type ${typeText(value)} to String`);
};

const concat = variadic((values) => {
  let text = '';
  for (const value of values) {
    if (isNullish(value)) return null;
    if (typeof value !== 'string') throw fail(16702, `$concat only supports strings, not ${typeText(value)}`);
    text += value;
  }
  return text;
});

const substrBytes = variadic(
  ([text, start, length], name) => {
    const bytes = Buffer.from(coerceToString(text), 'utf8');
    const from = position(start, name, 16034, 'starting index');
    const count = position(length, name, 16035, 'length');
    if (from < 0) throw fail(50752, `${name}:  starting index must be non-negative (got: ${from})`);
    const to = count < 0 ? bytes.length : Math.min(bytes.length, from + count);
    if (from >= bytes.length) return '';
    if (isContinuation(bytes[from]))
      throw fail(28656, `${name}:  Invalid range, starting index is a UTF-8 continuation byte.`);
    if (isContinuation(bytes[to]))
      throw fail(28657, `${name}:  Invalid range, ending index is in the middle of a UTF-8 character.`);
    return bytes.toString('utf8', from, to);
  },
  3,
  3,
);

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

const position = (value: Value, name: string, code: number, what: string): number => {
  if (!isNumeric(value))
    throw fail(code, `${name}:  ${what} must be a numeric type (is BSON type ${typeText(value)})`);
  return Math.trunc(toNumber(value));
};

const substrCodePoints = variadic(
  ([text, start, length], name) => {
    const characters = [...coerceToString(text)];
    const from = wholeArgument(
      start,
      34450,
      `${name}: starting index must be a numeric type (is BSON type ${typeText(start)})`,
    );
    const count = wholeArgument(
      length,
      34452,
      `${name}: length must be a numeric type (is BSON type ${typeText(length)})`,
    );
    if (from < 0) throw fail(34455, `${name}: the starting index must be nonnegative integer.`);
    if (count < 0) throw fail(34454, `${name}: length must be a nonnegative integer.`);
    return characters.slice(from, from + count).join('');
  },
  3,
  3,
);

const measured = (code: number, measure: (text: string) => number): OperatorCompiler =>
  unary((value, name) => {
    if (typeof value !== 'string')
      throw fail(code, `${name} requires a string argument, found: ${typeText(value)}`);
    return int(measure(value));
  });

/** Searches by unit (bytes or code points) between two bounds. */
const indexOf = (code: number, units: (text: string) => readonly (number | string)[]): OperatorCompiler =>
  variadic(
    ([text, wanted, start, end], name) => {
      if (isNullish(text)) return null;
      if (typeof text !== 'string')
        throw fail(code, `${name} requires a string as the first argument, found: ${typeText(text)}`);
      if (typeof wanted !== 'string')
        throw fail(code + 1, `${name} requires a string as the second argument, found: ${typeText(wanted)}`);
      const haystack = units(text);
      const needle = units(wanted);
      const from = start === undefined ? 0 : bound(start, name, 'starting');
      const to = end === undefined ? haystack.length : Math.min(haystack.length, bound(end, name, 'ending'));
      for (let i = from; i + needle.length <= to; i++) {
        if (needle.every((unit, j) => haystack[i + j] === unit)) return int(i);
      }
      return int(-1);
    },
    2,
    4,
  );

const bound = (value: Value, name: string, which: string): number => {
  const index = wholeArgument(
    value,
    40096,
    `${name} requires an integral ${which} index, found a value of type: ${typeText(value)}`,
  );
  if (index < 0) throw fail(40097, `${name} requires a nonnegative ${which} index, found: ${index}`);
  return index;
};

const split = binary((text, separator) => {
  if (isNullish(text) || isNullish(separator)) return null;
  if (typeof text !== 'string')
    throw fail(
      40085,
      `$split requires an expression that evaluates to a string as a first argument, found: ${typeText(text)}`,
    );
  if (typeof separator !== 'string')
    throw fail(
      40086,
      `$split requires an expression that evaluates to a string as a second argument, found: ${typeText(separator)}`,
    );
  if (separator === '') throw fail(40087, '$split requires a non-empty separator');
  return text.split(separator);
});

const whitespace = new Set(
  '\0\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a',
);

const trimmed = (left: boolean, right: boolean): OperatorCompiler =>
  named(['input', 'chars'], ['input'], (given, name) => {
    const { input, chars } = given;
    if (isNullish(input)) return null;
    if (typeof input !== 'string')
      throw fail(
        50699,
        `${name} requires its input to be a string, got ${formatValue(input)} (of type ${typeText(input)}) instead.`,
      );
    if (Object.hasOwn(given, 'chars') && isNullish(chars)) return null;
    if (chars !== undefined && typeof chars !== 'string')
      throw fail(50700, `${name} requires 'chars' to be a string, got ${typeText(chars)} instead.`);
    const drop = typeof chars === 'string' ? new Set(chars) : whitespace;
    const characters = [...input];
    let start = 0;
    let end = characters.length;
    while (left && start < end && drop.has(characters[start] ?? '')) start++;
    while (right && end > start && drop.has(characters[end - 1] ?? '')) end--;
    return characters.slice(start, end).join('');
  });

const replaced = (all: boolean): OperatorCompiler =>
  named(
    ['input', 'find', 'replacement'],
    ['input', 'find', 'replacement'],
    ({ input, find, replacement }, name) => {
      const parts: [Value, string, number][] = [
        [input, 'input', 51746],
        [find, 'find', 51745],
        [replacement, 'replacement', 51744],
      ];
      for (const [value, field, code] of parts) {
        if (!isNullish(value) && typeof value !== 'string')
          throw fail(code, `${name} requires that '${field}' be a string, found: ${typeText(value)}`);
      }
      if (typeof input !== 'string' || typeof find !== 'string' || typeof replacement !== 'string')
        return null;
      return all ? input.replaceAll(find, () => replacement) : input.replace(find, () => replacement);
    },
  );

const upper = (text: string): string => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

const bytesOf = (text: string): number[] => [...Buffer.from(text, 'utf8')];

/** String operators. As in MongoDB, only the case of ASCII letters is changed. */
export const stringOperators: Operators = {
  $concat: concat,
  $toUpper: unary((value) => upper(coerceToString(value))),
  $toLower: unary((value) => lower(coerceToString(value))),
  $substr: substrBytes,
  $substrBytes: substrBytes,
  $substrCP: substrCodePoints,
  $strLenBytes: measured(34473, (text) => Buffer.byteLength(text)),
  $strLenCP: measured(34471, (text) => [...text].length),
  $indexOfBytes: indexOf(40091, bytesOf),
  $indexOfCP: indexOf(40093, (text) => [...text]),
  $split: split,
  $trim: trimmed(true, true),
  $ltrim: trimmed(true, false),
  $rtrim: trimmed(false, true),
  $strcasecmp: binary((a, b) =>
    int(Math.sign(compareUtf8(upper(coerceToString(a)), upper(coerceToString(b))))),
  ),
  $replaceOne: replaced(false),
  $replaceAll: replaced(true),
};
