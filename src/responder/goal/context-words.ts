import { weekdayOf } from './calendar.js';
import { type ContextData, contextData } from './context-data.js';
import type { Language } from './number-data.js';
import { numberWordsOf } from './number-words.js';
import { isWithoutSpaces, temporalWordsOf, wordsPattern } from './temporal-words.js';

/** Only this much of the text before and after a value is searched. */
const NEAR_CHARACTERS = 60;

interface Range {
  start: number;
  end: number;
}

interface Patterns {
  negation: RegExp;
  negatedBefore: RegExp;
  negatedAfter: RegExp;
  shiftedBefore: RegExp;
  shiftedAfter: RegExp;
  between: RegExp;
  sumBefore: RegExp;
  sumAfter: RegExp;
  weekdayBefore: RegExp;
  weekdays: readonly { within: RegExp; before: RegExp; after: RegExp }[];
  dayBefore: RegExp;
  dayAfter: RegExp;
  counted: RegExp;
}

const tables = new Map<Language, Patterns>();

function newPatterns(language: Language, data: ContextData): Patterns {
  const word = (source: string): string => wordsPattern(source, language);
  const gap = "[\\s'’ʼ.-]*";
  const fillersIn = (source: string, between = gap): string => `${between}(?:${word(source)}${between})*`;
  const { fillers, shift, shiftBefore, articles } = data;
  const { at } = temporalWordsOf(language).data;
  const negation = word(data.negation);
  const beforeValue = shiftBefore === undefined ? shift : `${shift}|${shiftBefore}`;
  const duration = isWithoutSpaces(language)
    ? `(?:${data.units})?`
    : `(?:(?:(?!${word(at)})[\\p{L}\\p{N}'’]+\\s+){0,3}${word(data.units)}\\s+)?`;
  const day = `[\\s,.、，(（'’-]*(?:${word(articles)}[\\s,.'’-]*)*`;
  return {
    negation: new RegExp(negation, 'u'),
    negatedBefore: new RegExp(`${negation}(?<gap>[\\s\\p{P}]*)(?:${word(fillers)}[\\s\\p{P}]*)*$`, 'u'),
    negatedAfter: new RegExp(
      `^(?:${fillersIn(fillers)}${negation}|[\\s\\p{P}]*${negation}\\s*(?:[\\p{P}]|$))`,
      'u',
    ),
    shiftedBefore: new RegExp(`${word(beforeValue)}${fillersIn(fillers)}$`, 'u'),
    shiftedAfter: new RegExp(`^${fillersIn(articles)}${duration}${word(shift)}`, 'u'),
    between: new RegExp(`${word(data.between)}[^;.!?\\n]*$`, 'u'),
    sumBefore: new RegExp(`${word(data.sum)}\\s*$`, 'u'),
    sumAfter: new RegExp(`^\\s*${word(data.sum)}`, 'u'),
    weekdayBefore: new RegExp(
      `${word(data.weekdays.join('|'))}[\\s,.]*(?:${word([articles, data.counting].filter((source) => source !== '').join('|'))}[\\s.]*)*$`,
      'u',
    ),
    weekdays: data.weekdays.map((names) => ({
      within: new RegExp(word(names), 'u'),
      before: new RegExp(`${word(names)}${day}$`, 'u'),
      after: new RegExp(`^${day}${word(names)}`, 'u'),
    })),
    dayBefore: /(?<![\d/.-])(?<day>\d{1,2})[日号號]の?$/u,
    dayAfter: new RegExp(`^${day}(?<day>\\d{1,2}|\\p{L}+)`, 'u'),
    counted: new RegExp(`^\\s+(?:${word(data.counting)})\\s+(?<count>\\p{N}+|\\p{L}+)`, 'u'),
  };
}

function patternsOf(language: Language): Patterns {
  let patterns = tables.get(language);
  if (!patterns) {
    patterns = newPatterns(language, contextData[language]);
    tables.set(language, patterns);
  }
  return patterns;
}

const nearBefore = (text: string, start: number): string =>
  text.slice(Math.max(0, start - NEAR_CHARACTERS), start);
const nearAfter = (text: string, end: number): string => text.slice(end, end + NEAR_CHARACTERS);

/**
 * True if a word such as "not" is directly before or after the range, or only a preposition or punctuation is
 * between. In "no, at 7", which answers something that was said before, it is not.
 */
export function isNegated(text: string, { start, end }: Range, language: Language): boolean {
  const { negatedBefore, negatedAfter } = patternsOf(language);
  if (negatedAfter.test(nearAfter(text, end))) return true;
  const near = nearBefore(text, start);
  const found = negatedBefore.exec(near);
  if (!found) return false;
  const isFirst = near.length === start && !/[\p{L}\p{N}]/u.test(near.slice(0, found.index));
  return !isFirst || !/^\s*[,.;:!、，。！\n]/u.test(found.groups?.['gap'] ?? '');
}

/** True if the text has a word such as "not" anywhere; without one, nothing in it is negated. */
export const hasNegation = (text: string, language: Language): boolean =>
  patternsOf(language).negation.test(text);

/** True if a number near the range is negated: "not 12, 13 May". */
export function isNegatedNumberNear(text: string, { start, end }: Range, language: Language): boolean {
  const from = Math.max(0, start - 12);
  return [...text.slice(from, end + 20).matchAll(/\p{N}+/gu)].some(({ 0: number, index }) =>
    isNegated(text, { start: from + index, end: from + index + number.length }, language),
  );
}

/** True if the range is a part of "two hours before 7" or "12 May, two days later". */
export function isShifted(text: string, start: number, end: number, language: Language): boolean {
  const { shiftedBefore, shiftedAfter } = patternsOf(language);
  return shiftedBefore.test(nearBefore(text, start)) || shiftedAfter.test(nearAfter(text, end));
}

/** True if "between" is before `start`, in the same part of the sentence. */
export const isAfterBetween = (text: string, start: number, language: Language): boolean =>
  patternsOf(language).between.test(nearBefore(text, start).slice(-30));

/** True if the number is only a part of a sum, such as "me plus 3". */
export function isPartOfSum(text: string, { start, end }: Range, language: Language): boolean {
  const { sumBefore, sumAfter } = patternsOf(language);
  return sumBefore.test(nearBefore(text, start)) || sumAfter.test(nearAfter(text, end));
}

/** True if the number is directly after a day of the week, and nothing is counted: "friday 13". */
export const isDayAfterWeekday = (text: string, { start, end }: Range, language: Language): boolean =>
  patternsOf(language).weekdayBefore.test(nearBefore(text, start)) && !/^ ?\p{L}/u.test(nearAfter(text, end));

/** True if a day of the week within or beside a date is not that of the date, in YYYY-MM-DD. */
export function isOnOtherWeekday(
  text: string,
  { start, end }: Range,
  value: string,
  language: Language,
): boolean {
  const [year = 0, month = 0, day = 0] = value.split('-').map(Number);
  const actual = weekdayOf({ year, month, day });
  const [before, said, after] = [nearBefore(text, start), text.slice(start, end), nearAfter(text, end)];
  const named = patternsOf(language).weekdays.map(
    (weekday) => weekday.within.test(said) || weekday.before.test(before) || weekday.after.test(after),
  );
  return named.some(Boolean) && named[actual] !== true;
}

const people =
  /^ ?(?:people|persons?|guests?|of us|adults?|personas?|pessoas?|persone|personen|personer|personnes?|leute|mensen|orang|người|человек|людей|осіб|henkilo|henkea)/u;

/** The end of a day of the week directly after `end`, or `end` if there is none. */
export function endOfWeekdayAfter(text: string, end: number, language: Language): number {
  const near = nearAfter(text, end);
  const found = patternsOf(language).weekdays.map(({ after }) => after.exec(near)?.[0].length ?? 0);
  return end + Math.max(...found);
}

/**
 * True if a number beside a day of the week is another day of the month than the date, as in "friday 13", or a
 * number of days, as in "heute in acht Tagen".
 */
export function isOnOtherDay(
  text: string,
  { start, end }: Range,
  value: string,
  language: Language,
): boolean {
  const { dayBefore, dayAfter, counted, weekdays } = patternsOf(language);
  const { besideHour } = temporalWordsOf(language);
  const { isPart, valueOf } = numberWordsOf(language);
  const after = nearAfter(text, end);
  const count = counted.exec(after);
  const counts = count?.groups?.['count'] ?? '';
  if (count && (/^\p{N}/u.test(counts) || isPart(counts)) && !besideHour.isAfter(after, count[0].length))
    return true;
  const said = text.slice(start, end);
  if (!weekdays.some(({ within }) => within.test(said))) return false;
  const dayOfMonth = Number(value.slice(8));
  const previous = dayBefore.exec(nearBefore(text, start))?.groups?.['day'];
  if (previous !== undefined && Number(previous) !== dayOfMonth) return true;
  if (/\d[^\d]*$/u.test(said) && language !== 'vi') return false;
  const next = dayAfter.exec(after);
  const number = next?.groups?.['day'] ?? '';
  if (!next || !(/^\d/u.test(number) || isPart(number))) return false;
  const rest = after.slice(next[0].length);
  const isOther = /^\s?(?:[:.]\d|[hu:時时点點人名位个個]|[ap]\.?\s?m)/u.test(rest) || people.test(rest);
  if (isOther || besideHour.isAfter(rest, 0) || /^\d/u.test(rest)) return false;
  return (/^\d/u.test(number) ? Number(number) : valueOf(number)) !== dayOfMonth;
}

/**
 * True if the text negates the day, or contradicts it, for example with another weekday. `value` is '' if the day
 * could not be read.
 */
export function isDeniedDay(
  text: string,
  day: { start: number; end: number; value: string },
  language: Language,
): boolean {
  const { value } = day;
  if (hasNegation(text, language)) {
    if (isNegated(text, day, language)) return true;
    if (/\p{N}/u.test(text.slice(day.start, day.end)) && isNegatedNumberNear(text, day, language))
      return true;
  }
  if (isAfterBetween(text, day.start, language)) return true;
  return (
    value !== '' && (isOnOtherWeekday(text, day, value, language) || isOnOtherDay(text, day, value, language))
  );
}
