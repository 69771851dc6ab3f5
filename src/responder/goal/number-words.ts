import { fold } from './folded-text.js';
import { type Language, largeUnits, numberData } from './number-data.js';

/** The words for numbers of one language. */
export interface NumberWords {
  /** True for a word that can be a part of a number, also of one that cannot be read, such as "half". */
  isPart: (word: string) => boolean;
  /** True for a word that connects numbers, such as "and", "or" and "to". */
  isLink: (word: string) => boolean;
  /** The value of a complete number, such as "twenty-one". Undefined if it is none, or is above 999. */
  valueOf: (text: string) => number | undefined;
  /** The numbers up to 24 as they are written, the longest first. */
  hours: readonly string[];
}

/** Numbers up to this one are read in words. */
const LARGEST = 999;

const tables = new Map<Language, NumberWords>();

/** Vietnamese words with different diacritics are different words: "sáu" is six and "sau" is after. */
export const isExact = (language: Language): boolean => language === 'vi';

/** A word as it is compared in the language. */
export const normalize = (text: string, language: Language): string =>
  isExact(language) ? text.normalize('NFC').toLowerCase() : fold(text);

/** The words of the language. They are spelled out when they are first needed, which takes about 10 ms. */
export function numberWordsOf(language: Language): NumberWords {
  let table = tables.get(language);
  if (!table) {
    table = newTable(language);
    tables.set(language, table);
  }
  return table;
}

/** A word as it is compared with those of the table, without apostrophes: "п'ять" and "п’ять". */
export const comparable = (text: string, language: Language): string =>
  normalize(text, language).replace(/['’ʼ]/gu, '');

function newTable(language: Language): NumberWords {
  const data = numberData[language];
  const spell = (value: number): string => {
    const spelled = data.toCardinal(value);
    return comparable(data.corrected?.(spelled) ?? spelled, language);
  };
  const aliases = new Map<string, string>();
  for (const rule of data.forms.split(' ')) {
    const [standard = '', forms = ''] = rule.split('=');
    for (const form of forms.split('/').filter((text) => text !== ''))
      aliases.set(comparable(form, language), comparable(standard, language));
  }
  const standard = (word: string): string => aliases.get(word) ?? word;
  const general = (word: string): string => data.generalized?.(standard(word)) ?? standard(word);
  const wordsOf = (text: string): string[] => text.split(/[\s-]+/u);
  const and = new Set((data.and ?? '').split(' '));

  const values = new Map<string, number>();
  const parts = new Set<string>(aliases.keys());
  const hours = new Set<string>();
  const add = (words: readonly string[], value: number): void => {
    const key = words.join('');
    if (!values.has(key)) values.set(key, value);
    parts.add(key);
  };
  for (let value = 0; value <= LARGEST; value++) {
    const spelled = spell(value);
    const words = wordsOf(spelled);
    for (const word of words) if (!and.has(word)) parts.add(word).add(general(word));
    add(words, value);
    add(words.map(general), value);
    // "one hundred five" and "treinta cinco" are also said.
    add(words.filter((word) => !and.has(word)).map(general), value);
    if (value > 0 && value <= 24) hours.add(spelled).add(words.map(general).join(' '));
  }
  for (const [form, word] of aliases) {
    const value = values.get(word);
    if (value !== undefined && value > 0 && value <= 24) hours.add(form);
  }
  for (const large of [1e3, 2e3, 5e3, 1e6, 2e6, 5e6, 1e9, 2e9])
    for (const word of wordsOf(spell(large))) parts.add(word);

  const more = new RegExp(`^(?:${largeUnits}|${normalize(data.parts, language)})$`, 'u');
  const links = new Set([...and, ...normalize(data.links, language).split(' ')]);
  return {
    isPart: (word) => parts.has(word) || parts.has(general(word)) || more.test(word),
    isLink: (word) => links.has(word),
    valueOf: (text) => {
      const words = wordsOf(comparable(text.trim(), language));
      return values.get(words.join('')) ?? values.get(words.map(general).join(''));
    },
    hours: [...hours].sort((a, b) => b.length - a.length),
  };
}
