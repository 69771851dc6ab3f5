import { addDays, type CalendarDay, isBefore, isoDay, isRealDay, weekdayOf } from './calendar.js';
import { firstReading, numberOf, numberWords, type Reading } from './reading.js';

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
const inDaysPattern = new RegExp(`\\bin (\\d{1,3}|${numberWords(1)}) (day|week)s?\\b`);
const dayMonthPattern = new RegExp(`\\b${ordinal}(?: of)? ${monthPattern}\\b\\.?${year}\\b`);
const monthDayPattern = new RegExp(`\\b${monthPattern}\\.? ${ordinal}\\b(?!:)${year}\\b`);
const weekdayPattern = new RegExp(`\\b(next )?${weekdayNames}\\b`);
const weekdayAfterPreposition = new RegExp(`\\b(?:on|this|(next)) ${weekdayShort}\\b`);
const weekdayAlone = new RegExp(`\\b(next )?${weekdayShort}\\b`);

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

/**
 * Reads the first date in folded text, as YYYY-MM-DD: ISO dates, "12 May", "May 12th 2027", "tomorrow", "in 3
 * days", "friday". Abbreviated weekdays ("sat") require a preceding "on", "this" or "next", unless a date was
 * `asked` for.
 */
export function readDate(text: string, today: CalendarDay, asked = false): Reading<string> | undefined {
  return firstReading<string>(text, [
    [isoPattern, ([, y, m, d]) => real({ year: Number(y), month: Number(m), day: Number(d) })],
    [dayMonthPattern, ([, d = '', m = '', y]) => dayOfMonth(today, d, m, y)],
    [monthDayPattern, ([, m = '', d = '', y]) => dayOfMonth(today, d, m, y)],
    [relativePattern, ([, word = '']) => isoDay(addDays(today, relativeDays[word] ?? 0))],
    [
      inDaysPattern,
      ([, count = '', unit]) => isoDay(addDays(today, (numberOf(count) ?? 0) * (unit === 'week' ? 7 : 1))),
    ],
    [weekdayPattern, ([, next, name = '']) => weekday(today, name, next !== undefined)],
    [
      asked ? weekdayAlone : weekdayAfterPreposition,
      ([, next, name = '']) => weekday(today, name, next !== undefined),
    ],
  ]);
}
