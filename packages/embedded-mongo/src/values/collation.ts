import { ServerError } from './errors.js';
import { formatValue } from './format.js';
import { isDoc, isNumeric, newDoc, toNumber } from './types.js';
import type { Doc } from './types.js';

/** How strings compare: a locale's rules at strength 1 (base letters), 2 (plus accents) or 3 (plus case). */
export interface Collation {
  readonly locale: string;
  readonly strength: 1 | 2 | 3;
  readonly caseLevel: boolean;
  readonly caseFirst: 'upper' | 'lower' | 'off';
  readonly numericOrdering: boolean;
  readonly alternate: 'non-ignorable' | 'shifted';
  /** Returns a sort key. Comparing keys by code point orders the strings. */
  key(text: string): string;
  /** All options, including defaults, as shown by listIndexes and listCollections. */
  readonly spec: Doc;
}

/** Order in the root collation of the ASCII characters that are not letters or digits. */
const asciiOrder = '\t\n\v\f\r _-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$';
const expansions: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ł: 'l',
  ﬁ: 'fi',
  ﬂ: 'fl',
};
const isMark = /\p{M}/u;
const isLetter = /\p{L}/u;
const isIgnorable = /[\p{White_Space}\p{P}]/u;
const isControl = /[\p{Cc}\p{Cf}]/u;
const digit = /^[0-9]$/;

/** Lower than all weights, so that a prefix sorts first. */
const LEVEL_END = '\u0001';
const OTHER_SYMBOL = '\u0050';
const DIGIT = 0x60;
const NUMBER = '\u006b';
const LETTER = '\u0070';

const primaryWeight = (base: string): string => {
  const index = asciiOrder.indexOf(base);
  if (index >= 0) return String.fromCharCode(0x10 + index);
  if (digit.test(base)) return String.fromCharCode(DIGIT + Number(base));
  return (isLetter.test(base) ? LETTER : OTHER_SYMBOL) + base;
};

const numberWeight = (digits: string): string => {
  const significant = digits.replace(/^0+(?=.)/, '');
  return `${NUMBER}${String.fromCodePoint(0x100 + Math.min(significant.length, 0x4000))}${significant}`;
};

interface Levels {
  primary: string;
  accents: string;
  cases: string;
}

const addCharacter = (levels: Levels, character: string, upperFirst: boolean): void => {
  const lower = character.toLowerCase();
  const upper = lower !== character;
  const base = expansions[lower] ?? lower;
  for (const part of base) levels.primary += primaryWeight(part);
  levels.accents += base === lower ? '\u0002' : `\u0003${lower}`;
  levels.cases += upper === upperFirst ? '\u0002' : '\u0003';
};

const levelsOf = (text: string, options: Omit<Collation, 'key' | 'spec' | 'locale'>): Levels => {
  const levels: Levels = { primary: '', accents: '', cases: '' };
  const characters = [...text.normalize('NFD')];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] ?? '';
    if (isMark.test(character)) {
      levels.accents += `\u0004${character}`;
    } else if (options.numericOrdering && digit.test(character)) {
      let end = i + 1;
      while (digit.test(characters[end] ?? '')) end++;
      levels.primary += numberWeight(characters.slice(i, end).join(''));
      i = end - 1;
    } else if (options.alternate === 'shifted' && isIgnorable.test(character)) {
      continue;
    } else if (!isControl.test(character) || asciiOrder.includes(character)) {
      addCharacter(levels, character, options.caseFirst === 'upper');
    }
  }
  return levels;
};

/**
 * Returns a sort key similar to that of the Unicode collation algorithm: base letters, then accents, then
 * case. It depends only on the text, so index entries stay in order even if the runtime's collation tables
 * change.
 */
const keyOf = (text: string, options: Omit<Collation, 'key' | 'spec' | 'locale'>): string => {
  const { primary, accents, cases } = levelsOf(text, options);
  if (options.strength === 1) return options.caseLevel ? primary + LEVEL_END + cases : primary;
  const second = primary + LEVEL_END + accents;
  return options.strength === 2 && !options.caseLevel ? second : second + LEVEL_END + cases;
};

const oneOf = <T extends string>(spec: Doc, name: string, allowed: readonly T[], fallback: T): T => {
  const given = spec[name];
  if (given === undefined) return fallback;
  const found = allowed.find((candidate) => candidate === given);
  if (found === undefined) {
    throw new ServerError(
      'BadValue',
      `Enumeration value '${formatValue(given)}' for field 'collation.${name}' is not a valid value.`,
    );
  }
  return found;
};

const flag = (spec: Doc, name: string): boolean => {
  const given = spec[name];
  if (given !== undefined && typeof given !== 'boolean') {
    throw new ServerError(
      'TypeMismatch',
      `BSON field 'collation.${name}' is the wrong type, expected type 'bool'`,
    );
  }
  return given === true;
};

const knownFields = new Set([
  'locale',
  'strength',
  'caseLevel',
  'caseFirst',
  'numericOrdering',
  'alternate',
  'maxVariable',
  'normalization',
  'backwards',
  'version',
]);

const checkLocale = (spec: Doc): string => {
  const locale = spec['locale'];
  if (typeof locale !== 'string') {
    throw new ServerError(40414, "BSON field 'collation.locale' is missing but a required field", {
      codeName: 'Location40414',
    });
  }
  try {
    Intl.getCanonicalLocales(locale.replaceAll('_', '-').replace(/@.*/, ''));
  } catch {
    throw new ServerError('BadValue', `Field 'locale' is invalid in: { locale: "${locale}" }`);
  }
  return locale;
};

const strengthOf = (spec: Doc): 1 | 2 | 3 => {
  const given = spec['strength'];
  if (given === undefined) return 3;
  const strength = isNumeric(given) ? toNumber(given) : NaN;
  if (!Number.isInteger(strength) || strength < 1 || strength > 5) {
    throw new ServerError('FailedToParse', `BSON field 'collation.strength' must be an integer from 1 to 5`);
  }
  return strength >= 3 ? 3 : strength === 2 ? 2 : 1;
};

const specOf = (collation: Omit<Collation, 'key' | 'spec'>, given: Doc): Doc =>
  Object.assign(newDoc(), {
    locale: collation.locale,
    caseLevel: collation.caseLevel,
    caseFirst: collation.caseFirst,
    strength: given['strength'] ?? 3,
    numericOrdering: collation.numericOrdering,
    alternate: collation.alternate,
    maxVariable: given['maxVariable'] ?? 'punct',
    normalization: given['normalization'] ?? false,
    backwards: given['backwards'] ?? false,
    version: '57.1',
  });

/**
 * Parses a command's `collation` document. Returns undefined if there is none or for `{ locale: 'simple' }`.
 */
export const parseCollation = (spec: Doc | undefined): Collation | undefined => {
  if (spec === undefined || !isDoc(spec) || Object.keys(spec).length === 0) return undefined;
  for (const name of Object.keys(spec)) {
    if (!knownFields.has(name)) {
      throw new ServerError(40415, `BSON field 'collation.${name}' is an unknown field.`, {
        codeName: 'Location40415',
      });
    }
  }
  const locale = checkLocale(spec);
  if (locale === 'simple') return undefined;
  const options = {
    strength: strengthOf(spec),
    caseLevel: flag(spec, 'caseLevel'),
    caseFirst: oneOf(spec, 'caseFirst', ['upper', 'lower', 'off'] as const, 'off'),
    numericOrdering: flag(spec, 'numericOrdering'),
    alternate: oneOf(spec, 'alternate', ['non-ignorable', 'shifted'] as const, 'non-ignorable'),
  };
  return {
    locale,
    ...options,
    key: (text) => keyOf(text, options),
    spec: specOf({ locale, ...options }, spec),
  };
};
