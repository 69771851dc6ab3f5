import { contextData } from './context-data.js';
import type { Language } from './number-data.js';
import { normalize, numberWordsOf } from './number-words.js';
import { temporalData, type TemporalData } from './temporal-data.js';

/** Finds words directly before or after a range of a text. */
interface Beside {
  isBefore: (text: string, start: number) => boolean;
  isAfter: (text: string, end: number) => boolean;
}

/** The words for dates and times of one language, compiled. */
export interface TemporalWords {
  data: TemporalData;
  /** Words that change a date, or make it a part of a longer expression. */
  besideDate: Beside;
  besideTime: Beside;
  besideMonth: Beside;
  besideUnit: Beside;
  besideHour: Beside;
  besideAt: Beside;
  /** Articles at the end of a text. */
  articles: RegExp;
}

/** Only this much of the text before and after a value is searched for words that change it. */
const NEAR_CHARACTERS = 60;

export const isWithoutSpaces = (language: Language): boolean => language === 'ja' || language === 'zh';

/** A pattern of the data as it applies to the text that is searched. */
export const patternOf = (source: string, language: Language): string =>
  normalize(source, language).replaceAll('\\p{l}', '\\p{L}');

/** A pattern that matches one of the alternatives as complete words; nothing if there are none. */
export function wordsPattern(source: string, language: Language): string {
  if (source === '') return '(?!)';
  const alternatives = `(?:${patternOf(source, language)})`;
  return isWithoutSpaces(language) ? alternatives : `(?<![\\p{L}\\p{N}])${alternatives}(?![\\p{L}\\p{N}])`;
}

function besideOf(language: Language, words: string, fillers = ''): Beside {
  const word = wordsPattern(words, language);
  const filled = `[\\s'’-]*(?:${wordsPattern(fillers, language)}[\\s'’-]*)*`;
  const before = new RegExp(`${word}${filled}$`, 'u');
  const after = new RegExp(`^${filled}${word}`, 'u');
  return {
    isBefore: (text, start) => before.test(text.slice(Math.max(0, start - NEAR_CHARACTERS), start)),
    // One character more, so that a word at the start is seen to be a word of its own.
    isAfter: (text, end) => after.test(text.slice(end, end + NEAR_CHARACTERS)),
  };
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/gu, '\\$&');

/** The names of the months, on their own and in a date. */
function monthsOf(language: Language): string {
  const names = new Set<string>();
  for (const month of ['long', 'short'] as const)
    for (const options of [{ month }, { month, day: 'numeric' as const }]) {
      const format = new Intl.DateTimeFormat(language, { ...options, timeZone: 'UTC' });
      for (let index = 0; index < 12; index++)
        for (const { type, value } of format.formatToParts(Date.UTC(2026, index, 12)))
          if (type === 'month' && /\p{L}{3}/u.test(value)) names.add(escaped(value.replace(/\.$/u, '')));
    }
  return [...names].join('|');
}

const tables = new Map<Language, TemporalWords>();

export function temporalWordsOf(language: Language): TemporalWords {
  let table = tables.get(language);
  if (!table) {
    const data = temporalData[language];
    const hours = [data.mark, data.hours ?? '', data.morning, data.midday, data.afternoon, data.evening];
    table = {
      data,
      besideDate: besideOf(language, data.besideDate, data.fillers),
      besideTime: besideOf(language, data.besideTime),
      besideMonth: besideOf(language, monthsOf(language), data.fillers),
      besideUnit: besideOf(language, data.units),
      articles: new RegExp(`(?:${wordsPattern(contextData[language].articles, language)}\\s*)+$`, 'u'),
      besideAt: besideOf(
        language,
        [data.at, data.beforeHours ?? ''].filter((source) => source !== '').join('|'),
      ),
      besideHour: besideOf(language, [...hours, data.night].filter((source) => source !== '').join('|')),
    };
    tables.set(language, table);
  }
  return table;
}

/**
 * True if a number belongs to a date or time: "12" in "12 May". If the number was asked for, "3 days" is an
 * answer.
 */
export function isPartOfDateOrTime(
  text: string,
  { start, end }: { start: number; end: number },
  language: Language,
  asked: boolean,
): boolean {
  const { besideMonth, besideUnit, besideHour } = temporalWordsOf(language);
  // The dot is that of "12. Mai".
  if (besideMonth.isAfter(text, text[end] === '.' ? end + 1 : end) || besideMonth.isBefore(text, start))
    return true;
  if (language === 'vi' && /(?:tháng|ngày|thứ)\s$/u.test(text.slice(Math.max(0, start - 6), start)))
    return true;
  return !asked && (besideUnit.isAfter(text, end) || besideHour.isAfter(text, end));
}

const partPattern = /\p{N}+|\p{L}[\p{L}\p{M}]*/gu;

/** True if a number is directly before `start`, or only words such as "and", "or" and "to" are between. */
export function isNumberBefore(text: string, start: number, language: Language): boolean {
  const { isLink, isPart } = numberWordsOf(language);
  const near = text.slice(Math.max(0, start - NEAR_CHARACTERS), start);
  if (/[.;!?,\n][^\p{L}\p{N}]*$/u.test(near) && !/\p{N}[.,]$/u.test(near)) return false;
  const words = (near.match(partPattern) ?? []).reverse();
  const first = words.find((word) => !isLink(word));
  return first !== undefined && (/^\p{N}/u.test(first) || isPart(first));
}

/** True if words such as "or" and "to", or a sign such as "-", connect a number with what is at `start`. */
export function isLinkedNumberBefore(text: string, start: number, language: Language): boolean {
  const direct = text.slice(Math.max(0, start - NEAR_CHARACTERS), start);
  const near = direct.replace(temporalWordsOf(language).articles, '');
  if (near !== direct && !/\p{L}\s*$/u.test(near)) return false;
  return !/[\p{L}\p{N}]\s+$/u.test(near) ||
    numberWordsOf(language).isLink(/(?<!\p{L})(\p{L}+)\s*$/u.exec(near)?.[1] ?? '')
    ? isNumberBefore(text, start - direct.length + near.length, language)
    : false;
}

/** True if a number is directly after `end`, or only words such as "and", "or" and "to" are between. */
export function isNumberAfter(text: string, end: number, language: Language): boolean {
  const { isLink, isPart } = numberWordsOf(language);
  const near = text.slice(end, end + NEAR_CHARACTERS);
  if (/^[^\p{L}\p{N}]*[.;!?,\n](?!\p{N})/u.test(near)) return false;
  const first = (near.match(partPattern) ?? []).find((word) => !isLink(word));
  return first !== undefined && (/^\p{N}/u.test(first) || isPart(first));
}
