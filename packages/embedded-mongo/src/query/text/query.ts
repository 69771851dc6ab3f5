import { isDoc, typeName } from '../../values/bson.js';
import type { Doc, Value } from '../../values/bson.js';
import { ServerError } from '../../values/errors.js';

/** The operand of `$text`. */
export interface TextQuery {
  search: string;
  /** Undefined: the index's default language. */
  language: string | undefined;
  caseSensitive: boolean;
  diacriticSensitive: boolean;
}

const known = new Set(['$search', '$language', '$caseSensitive', '$diacriticSensitive']);

const wrongType = (name: string, expected: string, value: Value): ServerError =>
  new ServerError(
    'TypeMismatch',
    `"${name}" had the wrong type. Expected ${expected}, found ${typeName(value)}`,
  );

const flag = (operand: Doc, name: string): boolean => {
  const value = operand[name];
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw wrongType(name, 'bool', value);
  return value;
};

export const parseTextQuery = (operand: Value): TextQuery => {
  if (!isDoc(operand)) throw new ServerError('BadValue', '$text expects an object');
  const { $search: search, $language: language } = operand;
  if (search === undefined) throw new ServerError('NoSuchKey', 'Missing expected field "$search"');
  if (typeof search !== 'string') throw wrongType('$search', 'string', search);
  if (language !== undefined && typeof language !== 'string')
    throw wrongType('$language', 'string', language);
  if (Object.keys(operand).some((name) => !known.has(name))) {
    throw new ServerError('BadValue', 'extra fields in $text');
  }
  return {
    search,
    language,
    caseSensitive: flag(operand, '$caseSensitive'),
    diacriticSensitive: flag(operand, '$diacriticSensitive'),
  };
};
