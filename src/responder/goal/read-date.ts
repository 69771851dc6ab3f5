import { addDays, type CalendarDay, isBefore, isoDay, isRealDay, weekdayOf } from './calendar.js';
import { hasNegation, isDeniedDay, isNegated, isShifted } from './context-words.js';
import { numberWordsOf } from './number-words.js';
import { readingOf, type Reading } from './reading.js';
import { isLinkedNumberBefore, temporalWordsOf } from './temporal-words.js';

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const monthPattern =
  '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';
const ordinal = '(\\d{1,2})(?:st|nd|rd|th)?';
const year = '(?:,? (\\d{4}))?';

const weekdays = 'mon tue wed thu fri sat sun'.split(' ');
const weekdayNames = '(monday|tuesday|wednesday|thursday|friday|saturday|sunday)';
const weekdayShort = '(mon|tues?|wed|thur?s?|fri|sat|sun)';

const isoPattern = /\b(\d{4})-(\d{1,2})-(\d{1,2})\b/;
const relativePattern = /\b(day after tomorrow|today|tonight|tomorrow)\b/;
const inDaysPattern = /\bin (\d{1,3}|[a-z]+(?:[ -][a-z]+){0,2}) (day|week)s?\b/;
const dayMonthPattern = new RegExp(`\\b${ordinal}(?: of)? ${monthPattern}\\b\\.?${year}\\b`);
const monthDayPattern = new RegExp(`\\b${monthPattern}\\.? ${ordinal}\\b(?!:)${year}\\b`);
const weekdayPattern = new RegExp(`\\b(next )?${weekdayNames}\\b`);
const weekdayAfterPreposition = new RegExp(`\\b(?:on|this|(next)) ${weekdayShort}\\b`);
const weekdayAlone = new RegExp(`\\b(next )?${weekdayShort}\\b`);

/** What names a day, to see whether it is negated. */
const namedDay = new RegExp(
  `\\b(?:\\d{4}-\\d{1,2}-\\d{1,2}|(?:${weekdayNames}|today|tonight|tomorrow)|${ordinal}(?: of)? ${monthPattern}|${monthPattern}\\.? ${ordinal}|\\d{1,2}(?:st|nd|rd|th))\\b`,
  'g',
);

const relativeDays: Record<string, number> = {
  today: 0,
  tonight: 0,
  tomorrow: 1,
  'day after tomorrow': 2,
};

const real = (day: CalendarDay): string | undefined => (isRealDay(day) ? isoDay(day) : undefined);

/** A day and month without a year is the next such day, possibly today. */
function dayOfMonth(today: CalendarDay, day: string, month: string, yearText?: string): string | undefined {
  const monthNumber = months.indexOf(month.slice(0, 3)) + 1;
  if (yearText) return real({ year: Number(yearText), month: monthNumber, day: Number(day) });
  const thisYear = { year: today.year, month: monthNumber, day: Number(day) };
  return real(isBefore(thisYear, today) ? { ...thisYear, year: today.year + 1 } : thisYear);
}

/**
 * "friday" is the next Friday after today; "next friday" is the Friday of the next week, which begins on
 * Monday.
 */
function weekday(today: CalendarDay, name: string, next: boolean): string {
  const target = weekdays.indexOf(name.slice(0, 3));
  const now = weekdayOf(today);
  return isoDay(addDays(today, next ? 7 - now + target : ((target - now + 6) % 7) + 1));
}

const unattachedBefore = /(?:^|[^\p{L}\p{N}_.:/–-]|(?<!\p{N})[.:/–-])$/u;
const unattachedAfter = /^(?:$|[^\p{L}\p{N}_./–-]|[./–-](?!\s?\p{N}))/u;
const range =
  /^\s*(?:to|till|until|through|thru|and|&|–|—|-)\s*(?:the )?(?:\d|mon|tue|wed|thu|fri|sat|sun|today|tomorrow)/;
const shortYear = /^,? ?'?\d{2}(?![\d:.h]|\s?[ap]\.?\s?m)/;

/** True if the words beside the date do not change it: "friday next week" and "12-14 May" are not read. */
function isComplete(text: string, { start, end }: Reading): boolean {
  const [before, after] = [text.slice(Math.max(0, start - 3), start), text.slice(end, end + 40)];
  if (!unattachedBefore.test(before) || !unattachedAfter.test(after) || range.test(after)) return false;
  const said = text.slice(start, end);
  if (/^\d/.test(said) && isLinkedNumberBefore(text, start, 'en')) return false;
  if (/^[a-z]/.test(said) && /\d/.test(said) && /\d(?: of)? $/.test(text.slice(0, start))) return false;
  if (/\d/.test(said) && !/\d{4}/.test(said) && shortYear.test(after)) return false;
  const { besideDate } = temporalWordsOf('en');
  if (isShifted(text, start, end, 'en')) return false;
  return !besideDate.isBefore(text, start) && !besideDate.isAfter(text, end);
}

interface DateOptions {
  /** True if a date was asked for: "sat" is then a day. */
  asked?: boolean;
  /** False if the message is in another language, in which "mon" may be a word. */
  isOnlyEnglish?: boolean;
}

/**
 * Reads the first date in folded text, as YYYY-MM-DD: ISO dates, "12 May", "May 12th 2027", "tomorrow", "in 3
 * days", "friday". Abbreviated weekdays ("sat") require a preceding "on", "this" or "next", unless a date was
 * `asked` for. Returns undefined if neighboring words modify the date.
 */
export function readDate(
  text: string,
  today: CalendarDay,
  { asked = false, isOnlyEnglish = true }: DateOptions = {},
): Reading<string> | undefined {
  const rules: readonly (readonly [RegExp, (match: RegExpExecArray) => string | undefined])[] = [
    [isoPattern, ([, y, m, d]) => real({ year: Number(y), month: Number(m), day: Number(d) })],
    [dayMonthPattern, ([, d = '', m = '', y]) => dayOfMonth(today, d, m, y)],
    [monthDayPattern, ([, m = '', d = '', y]) => dayOfMonth(today, d, m, y)],
    [relativePattern, ([, word = '']) => isoDay(addDays(today, relativeDays[word] ?? 0))],
    [inDaysPattern, ([, count = '', unit]) => inDays(text, today, count, unit === 'week' ? 7 : 1)],
    [weekdayPattern, ([, next, name = '']) => weekday(today, name, next !== undefined)],
    ...(isOnlyEnglish
      ? [
          [
            asked ? weekdayAlone : weekdayAfterPreposition,
            ([, next, name = '']: RegExpExecArray) => weekday(today, name, next !== undefined),
          ] as const,
        ]
      : []),
  ];
  if (hasNegation(text, 'en'))
    for (const { 0: said, index } of text.matchAll(namedDay))
      if (isNegated(text, { start: index, end: index + said.length }, 'en')) return undefined;
  for (const [pattern, valueOf] of rules) {
    const match = pattern.exec(text);
    const reading = match ? readingOf(match, valueOf(match)) : undefined;
    if (reading && isDeniedDay(text, reading, 'en')) return undefined;
    if (reading && isComplete(text, reading)) return reading;
  }
  return undefined;
}

/** "friday in two weeks" is not the day in two weeks. */
function inDays(text: string, today: CalendarDay, count: string, days: number): string | undefined {
  const number = /^\d+$/.test(count) ? Number(count) : numberWordsOf('en').valueOf(count);
  const isMore = weekdayPattern.test(text) || /\btomorrow\b/.test(text);
  return number === undefined || isMore ? undefined : isoDay(addDays(today, number * days));
}
