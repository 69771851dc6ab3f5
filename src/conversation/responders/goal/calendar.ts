import { LRUCache } from 'lru-cache';

/** A day without a time or zone. */
export interface CalendarDay {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
}

const dayMs = 86_400_000;

const toUtc = ({ year, month, day }: CalendarDay): Date => new Date(Date.UTC(year, month - 1, day));

const fromUtc = (date: Date): CalendarDay => ({
  year: date.getUTCFullYear(),
  month: date.getUTCMonth() + 1,
  day: date.getUTCDate(),
});

/** Making a formatter costs some 40 us, using it a few. */
const formatters = new LRUCache<string, Intl.DateTimeFormat>({ max: 100 });

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const present = formatters.get(timeZone);
  if (present) return present;
  const options = { timeZone, year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const formatter = new Intl.DateTimeFormat('en-US', options);
  formatters.set(timeZone, formatter);
  return formatter;
}

/** The day that it is at `instant` in an IANA time zone. */
export function dayIn(instant: Date, timeZone: string): CalendarDay {
  const parts = formatterOf(timeZone).formatToParts(instant);
  const part = (type: string): number => Number(parts.find((candidate) => candidate.type === type)?.value);
  return { year: part('year'), month: part('month'), day: part('day') };
}

export const addDays = (day: CalendarDay, days: number): CalendarDay =>
  fromUtc(new Date(toUtc(day).getTime() + days * dayMs));

/** 0 for Monday to 6 for Sunday. */
export const weekdayOf = (day: CalendarDay): number => (toUtc(day).getUTCDay() + 6) % 7;

/** True for days that exist: not for 31 April. */
export function isRealDay(day: CalendarDay): boolean {
  const { year, month, day: dayOfMonth } = fromUtc(toUtc(day));
  return year === day.year && month === day.month && dayOfMonth === day.day;
}

export const isBefore = (a: CalendarDay, b: CalendarDay): boolean => toUtc(a) < toUtc(b);

/** YYYY-MM-DD. */
export const isoDay = (day: CalendarDay): string => toUtc(day).toISOString().slice(0, 10);
