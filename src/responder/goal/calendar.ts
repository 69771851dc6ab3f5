import { LRUCache } from 'lru-cache';

/** A calendar day without time or time zone. */
export interface CalendarDay {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

const dayMs = 86_400_000;

const toUtc = ({ year, month, day }: CalendarDay): Date => new Date(Date.UTC(year, month - 1, day));

const fromUtc = (date: Date): CalendarDay => ({
  year: date.getUTCFullYear(),
  month: date.getUTCMonth() + 1,
  day: date.getUTCDate(),
});

const MINUTE_MS = 60_000;

/**
 * Creating a formatter takes about 40 µs and using it about 5 µs, so the current day of a zone is cached for
 * one minute.
 */
interface Zone {
  readonly formatter: Intl.DateTimeFormat;
  /** Minutes since 1970. */
  readonly minute: number;
  readonly day: CalendarDay;
}
const zones = new LRUCache<string, Zone>({ max: 100 });

const newFormatter = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-US', { timeZone, year: 'numeric', month: 'numeric', day: 'numeric' });

function dayOf(formatter: Intl.DateTimeFormat, instant: Date): CalendarDay {
  const parts = formatter.formatToParts(instant);
  const part = (type: string): number => Number(parts.find((candidate) => candidate.type === type)?.value);
  return { year: part('year'), month: part('month'), day: part('day') };
}

/** Returns the calendar day at `instant` in an IANA time zone. */
export function dayIn(instant: Date, timeZone: string): CalendarDay {
  const minute = Math.floor(instant.getTime() / MINUTE_MS);
  const zone = zones.get(timeZone);
  if (zone?.minute === minute) return zone.day;
  const formatter = zone?.formatter ?? newFormatter(timeZone);
  const day = dayOf(formatter, instant);
  zones.set(timeZone, { formatter, minute, day });
  return day;
}

export const addDays = (day: CalendarDay, days: number): CalendarDay =>
  fromUtc(new Date(toUtc(day).getTime() + days * dayMs));

/** Returns 0 for Monday to 6 for Sunday. */
export const weekdayOf = (day: CalendarDay): number => (toUtc(day).getUTCDay() + 6) % 7;

/** False for days that do not exist, such as 31 April. */
export function isRealDay(day: CalendarDay): boolean {
  const { year, month, day: dayOfMonth } = fromUtc(toUtc(day));
  return year === day.year && month === day.month && dayOfMonth === day.day;
}

export const isBefore = (a: CalendarDay, b: CalendarDay): boolean => toUtc(a) < toUtc(b);

/** Formats a day as YYYY-MM-DD. */
export const isoDay = (day: CalendarDay): string => toUtc(day).toISOString().slice(0, 10);
