const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Date components found by a format. */
export interface DateParts {
  year?: number;
  month?: number;
  day?: number;
  hour?: number;
  minute?: number;
  second?: number;
  millisecond?: number;
  dayOfYear?: number;
  isoYear?: number;
  isoWeek?: number;
  isoDay?: number;
  /** Offset from UTC in minutes, if the text specifies one. */
  offset?: number;
}

const iso =
  /^(\d{4})-?(\d{2})(?:-?(\d{2}))?(?:[T ]+(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?(?:\d{2})?)?)?$/i;

const offsetMinutes = (text: string): number => {
  if (/^z$/i.test(text)) return 0;
  const found = /^([+-])(\d{2}):?(\d{2})?$/.exec(text);
  return (found?.[1] === '-' ? -1 : 1) * (Number(found?.[2]) * 60 + Number(found?.[3] ?? 0));
};

const inRange = (parts: DateParts): boolean =>
  (parts.month ?? 1) >= 1 &&
  (parts.month ?? 1) <= 12 &&
  (parts.day ?? 1) >= 1 &&
  (parts.day ?? 1) <= new Date(Date.UTC(parts.year ?? 1970, parts.month ?? 1, 0)).getUTCDate() &&
  (parts.hour ?? 0) < 24 &&
  (parts.minute ?? 0) < 60 &&
  (parts.second ?? 0) < 61;

/**
 * Parses ISO 8601 text, or any text that the runtime's Date accepts. Text without a time zone is read as UTC.
 */
export const parseParts = (text: string): DateParts | undefined => {
  const found = iso.exec(text.trim());
  if (found) {
    const [, year, month, day, hour, minute, second, fraction, offset] = found;
    const parts: DateParts = {
      year: Number(year),
      month: Number(month),
      day: Number(day ?? 1),
      hour: Number(hour ?? 0),
      minute: Number(minute ?? 0),
      second: Number(second ?? 0),
      millisecond: Number((fraction ?? '').padEnd(3, '0').slice(0, 3)),
    };
    if (offset !== undefined) parts.offset = offsetMinutes(offset);
    return inRange(parts) ? parts : undefined;
  }
  if (!/\d/.test(text) || /\d{5}/.test(text)) return undefined;
  const zoned = /(Z|GMT|UTC|[+-]\d{2}:?\d{2})\s*$/i.test(text);
  const time = Date.parse(zoned ? text : `${text} UTC`);
  if (Number.isNaN(time)) return undefined;
  const date = new Date(time);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    millisecond: date.getUTCMilliseconds(),
    ...(zoned ? { offset: 0 } : {}),
  };
};

/** Local time in milliseconds for the given parts. Out-of-range parts carry over. */
export const wallOf = (parts: DateParts): number => {
  const time = new Date(0);
  if (parts.isoYear !== undefined) {
    const fourth = new Date(0);
    fourth.setUTCFullYear(parts.isoYear, 0, 4);
    const monday = fourth.getTime() - ((fourth.getUTCDay() + 6) % 7) * 86_400_000;
    time.setTime(monday + (((parts.isoWeek ?? 1) - 1) * 7 + (parts.isoDay ?? 1) - 1) * 86_400_000);
  } else if (parts.dayOfYear !== undefined) {
    time.setUTCFullYear(parts.year ?? 1970, 0, parts.dayOfYear);
  } else {
    time.setUTCFullYear(parts.year ?? 1970, (parts.month ?? 1) - 1, parts.day ?? 1);
  }
  const clock =
    (((parts.hour ?? 0) * 60 + (parts.minute ?? 0)) * 60 + (parts.second ?? 0)) * 1000 +
    (parts.millisecond ?? 0);
  return time.getTime() + clock;
};

/**
 * Parses a date, as UTC unless the text specifies a time zone. Returns undefined if the text is not a date.
 */
export const parseDate = (text: string): Date | undefined => {
  const parts = parseParts(text);
  return parts && new Date(wallOf(parts) - (parts.offset ?? 0) * 60_000);
};

type PartReader = [pattern: string, store: (parts: DateParts, text: string) => void];

const readers: Record<string, PartReader> = {
  Y: ['(\\d{4})', (parts, text) => (parts.year = Number(text))],
  m: ['(\\d{1,2})', (parts, text) => (parts.month = Number(text))],
  d: ['(\\d{1,2})', (parts, text) => (parts.day = Number(text))],
  e: ['(\\d{1,2})', (parts, text) => (parts.day = Number(text))],
  H: ['(\\d{1,2})', (parts, text) => (parts.hour = Number(text))],
  M: ['(\\d{1,2})', (parts, text) => (parts.minute = Number(text))],
  S: ['(\\d{1,2})', (parts, text) => (parts.second = Number(text))],
  L: ['(\\d{1,3})', (parts, text) => (parts.millisecond = Number(text.padEnd(3, '0')))],
  j: ['(\\d{1,3})', (parts, text) => (parts.dayOfYear = Number(text))],
  G: ['(\\d{4})', (parts, text) => (parts.isoYear = Number(text))],
  V: ['(\\d{1,2})', (parts, text) => (parts.isoWeek = Number(text))],
  u: ['(\\d)', (parts, text) => (parts.isoDay = Number(text))],
  b: ['([A-Za-z]{3})', (parts, text) => (parts.month = months.indexOf(text.toLowerCase()) + 1)],
  B: ['([A-Za-z]+)', (parts, text) => (parts.month = months.indexOf(text.slice(0, 3).toLowerCase()) + 1)],
  z: ['(Z|[+-]\\d{2}:?\\d{2})', (parts, text) => (parts.offset = offsetMinutes(text))],
  Z: ['([+-]\\d+)', (parts, text) => (parts.offset = Number(text))],
};

/**
 * Parses text using a format of `%` specifiers. Returns undefined if the text does not match, and 'format' if
 * the format is malformed.
 */
export const parseByFormat = (text: string, format: string): DateParts | 'format' | undefined => {
  const stores: PartReader[1][] = [];
  let pattern = '^';
  for (let i = 0; i < format.length; i++) {
    const character = format[i] ?? '';
    if (character !== '%') {
      pattern += character.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      continue;
    }
    const specifier = format[++i] ?? '';
    const reader = Object.hasOwn(readers, specifier) ? readers[specifier] : undefined;
    if (specifier === '%') pattern += '%';
    else if (!reader) return 'format';
    else {
      pattern += reader[0];
      stores.push(reader[1]);
    }
  }
  const found = new RegExp(`${pattern}$`).exec(text);
  if (!found) return undefined;
  const parts: DateParts = {};
  stores.forEach((store, i) => store(parts, found[i + 1] ?? ''));
  return inRange(parts) ? parts : undefined;
};
