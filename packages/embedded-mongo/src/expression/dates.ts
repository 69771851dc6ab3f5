import { ObjectId, Timestamp } from 'bson';
import { formatValue, int, isDoc, isNumeric, toNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isIntegral } from '../values/numbers.js';
import { parseByFormat, parseParts, wallOf } from './date-parsing.js';
import type { DateParts } from './date-parsing.js';
import { fail, isNullish, named, namedOperand, typeText } from './scope.js';
import type { Evaluate, OperatorCompiler, Operators } from './scope.js';
import { instantOf, utc, wallClock, zoneOf } from './time-zones.js';
import type { Zone } from './time-zones.js';

const DAY = 86_400_000;

/** Milliseconds since the epoch of a date, timestamp or ObjectId. */
export const instantArgument = (value: Value): number => {
  if (value instanceof Date) return value.getTime();
  if (value instanceof Timestamp) return value.t * 1000;
  if (value instanceof ObjectId) return value.getTimestamp().getTime();
  throw fail(16006, `can't convert from BSON type ${typeText(value)} to Date`);
};

const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY) + 1;

const isoDay = (date: Date): number => date.getUTCDay() || 7;

/** The Thursday of the date's week, which determines the ISO year and week. */
const thursday = (date: Date): Date => new Date(date.getTime() + (4 - isoDay(date)) * DAY);

const isoYear = (date: Date): number => thursday(date).getUTCFullYear();
const isoWeek = (date: Date): number => Math.ceil(dayOfYear(thursday(date)) / 7);

/** Week of the year, 0 to 53. Weeks start on Sunday, and days before the first Sunday are in week 0. */
const week = (date: Date): number => Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7);

const parts: Record<string, (date: Date) => number> = {
  $year: (date) => date.getUTCFullYear(),
  $month: (date) => date.getUTCMonth() + 1,
  $dayOfMonth: (date) => date.getUTCDate(),
  $dayOfWeek: (date) => date.getUTCDay() + 1,
  $dayOfYear: dayOfYear,
  $hour: (date) => date.getUTCHours(),
  $minute: (date) => date.getUTCMinutes(),
  $second: (date) => date.getUTCSeconds(),
  $millisecond: (date) => date.getUTCMilliseconds(),
  $week: week,
  $isoWeek: isoWeek,
  $isoWeekYear: isoYear,
  $isoDayOfWeek: isoDay,
};

/**
 * Parses the operand of `$year` and similar operators: a date, an array with one, or `{ date, timezone }`.
 */
const dateOperand = (
  operand: Value,
  compile: (value: Value) => Evaluate,
  name: string,
): [Evaluate, Evaluate | undefined] => {
  if (isDoc(operand) && (Object.hasOwn(operand, 'date') || Object.hasOwn(operand, 'timezone'))) {
    const given = namedOperand(operand, name, ['date', 'timezone'], ['date']);
    const zone = Object.hasOwn(given, 'timezone') ? compile(given['timezone']) : undefined;
    return [compile(given['date']), zone];
  }
  if (Array.isArray(operand)) {
    if (operand.length !== 1)
      throw fail(
        40536,
        `${name} accepts exactly one argument if given an array, but was given ${operand.length}`,
      );
    return [compile(operand[0]), undefined];
  }
  return [compile(operand), undefined];
};

const part =
  (read: (date: Date) => number): OperatorCompiler =>
  (operand, compile, name) => {
    const [date, zone] = dateOperand(operand, compile, name);
    return (scope) => {
      const value = date(scope);
      const place = zone?.(scope);
      if (isNullish(value) || (zone && isNullish(place))) return null;
      return int(read(wallClock(instantArgument(value), zoneOf(place))));
    };
  };

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

const monthNames =
  'January February March April May June July August September October November December'.split(' ');

const offsetText = (zone: Zone, instant: number): string => {
  const minutes = Math.round(zone(instant) / 60_000);
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60), 2)}${pad(size % 60, 2)}`;
};

const offsetMinutesText = (zone: Zone, instant: number): string => {
  const minutes = Math.round(zone(instant) / 60_000);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.abs(minutes), 3)}`;
};

const specifiers: Record<string, (wall: Date, zone: Zone, instant: number) => string> = {
  Y: (wall) => pad(wall.getUTCFullYear(), 4),
  m: (wall) => pad(wall.getUTCMonth() + 1, 2),
  d: (wall) => pad(wall.getUTCDate(), 2),
  H: (wall) => pad(wall.getUTCHours(), 2),
  M: (wall) => pad(wall.getUTCMinutes(), 2),
  S: (wall) => pad(wall.getUTCSeconds(), 2),
  L: (wall) => pad(wall.getUTCMilliseconds(), 3),
  j: (wall) => pad(dayOfYear(wall), 3),
  w: (wall) => String(wall.getUTCDay() + 1),
  u: (wall) => String(isoDay(wall)),
  U: (wall) => pad(week(wall), 2),
  V: (wall) => pad(isoWeek(wall), 2),
  G: (wall) => pad(isoYear(wall), 4),
  b: (wall) => (monthNames[wall.getUTCMonth()] ?? '').slice(0, 3),
  B: (wall) => monthNames[wall.getUTCMonth()] ?? '',
  z: (_wall, zone, instant) => offsetText(zone, instant),
  Z: (_wall, zone, instant) => offsetMinutesText(zone, instant),
  '%': () => '%',
};

const formatDate = (instant: number, zone: Zone, format: string): string => {
  const wall = wallClock(instant, zone);
  return format.replace(/%(.?)/gs, (_whole, specifier: string) => {
    const write = Object.hasOwn(specifiers, specifier) ? specifiers[specifier] : undefined;
    if (!write) {
      throw specifier === ''
        ? fail(18535, "Unmatched '%' at end of format string")
        : fail(18536, `Invalid format character '%${specifier}' in format string`);
    }
    return write(wall, zone, instant);
  });
};

const toText = named(['date', 'format', 'timezone', 'onNull'], ['date'], (given) => {
  const { date, format, timezone, onNull } = given;
  if (isNullish(date)) return Object.hasOwn(given, 'onNull') ? onNull : null;
  if (Object.hasOwn(given, 'timezone') && isNullish(timezone)) return null;
  if (Object.hasOwn(given, 'format') && isNullish(format)) return null;
  if (format !== undefined && typeof format !== 'string')
    throw fail(18533, `$dateToString requires that 'format' be a string, found: ${typeText(format)}`);
  const zone = zoneOf(timezone);
  const standard = zone === utc ? '%Y-%m-%dT%H:%M:%S.%LZ' : '%Y-%m-%dT%H:%M:%S.%L';
  return formatDate(instantArgument(date), zone, typeof format === 'string' ? format : standard);
});

const conversionFailure = (message: string): ServerError => new ServerError('ConversionFailure', message);

const dateOfText = (text: string, format: Value, timezone: Value): Date => {
  const found = typeof format === 'string' ? parseByFormat(text, format) : parseParts(text);
  if (found === 'format') throw fail(18536, `Invalid format character in format string '${String(format)}'`);
  if (!found) throw conversionFailure(`Error parsing date string '${text}'`);
  if (found.offset !== undefined && !isNullish(timezone)) {
    throw conversionFailure(
      `you cannot pass in a date/time string with time zone information ('${text}') together with a timezone argument`,
    );
  }
  const wall = wallOf(found);
  return new Date(
    found.offset === undefined ? instantOf(wall, zoneOf(timezone)) : wall - found.offset * 60_000,
  );
};

const fromText = named(['dateString', 'format', 'timezone', 'onError', 'onNull'], ['dateString'], (given) => {
  const { dateString: text, format, timezone, onError, onNull } = given;
  if (isNullish(text)) return Object.hasOwn(given, 'onNull') ? onNull : null;
  try {
    if (typeof text !== 'string')
      throw conversionFailure(
        `$dateFromString requires that 'dateString' be a string, found: ${typeText(text)} with value ${formatValue(text)}`,
      );
    return dateOfText(text, format, timezone);
  } catch (error) {
    const failedConversion = error instanceof ServerError && error.codeName === 'ConversionFailure';
    if (failedConversion && Object.hasOwn(given, 'onError')) return onError;
    throw error;
  }
});

const partNames = ['year', 'month', 'day', 'hour', 'minute', 'second', 'millisecond'] as const;
const isoPartNames: Record<string, keyof DateParts> = {
  isoWeekYear: 'isoYear',
  isoWeek: 'isoWeek',
  isoDayOfWeek: 'isoDay',
};

const partValue = (value: Value, name: string): number => {
  if (!isNumeric(value) || !isIntegral(value))
    throw fail(
      40515,
      `'${name}' must evaluate to an integer, found ${typeText(value)} with value ${formatValue(value)}`,
    );
  const number = toNumber(value);
  if (/year/i.test(name) && (number < 1 || number > 9999))
    throw fail(40523, `'${name}' must evaluate to an integer in the range 1 to 9999, found ${number}`);
  if (Math.abs(number) > 32767 && !['second', 'millisecond', 'minute', 'hour'].includes(name)) {
    throw fail(
      31034,
      `'${name}' must evaluate to a value in the range [-32768, 32767]; value ${number} is not in range`,
    );
  }
  return number;
};

const fromParts: OperatorCompiler = (operand, compile, name) => {
  const given = namedOperand(operand, name, [...partNames, ...Object.keys(isoPartNames), 'timezone'], []);
  if (!Object.hasOwn(given, 'year') && !Object.hasOwn(given, 'isoWeekYear')) {
    throw fail(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
  }
  if (Object.hasOwn(given, 'year') && Object.keys(given).some((field) => field in isoPartNames)) {
    throw fail(40489, '$dateFromParts does not allow mixing natural dates with ISO dates');
  }
  const list = Object.keys(given).map((field): [string, Evaluate] => [field, compile(given[field])]);
  return (scope) => {
    const found: DateParts = {};
    let zone = utc;
    for (const [field, argument] of list) {
      const value = argument(scope);
      if (isNullish(value)) return null;
      if (field === 'timezone') zone = zoneOf(value);
      else found[isoPartNames[field] ?? (field as keyof DateParts)] = partValue(value, field);
    }
    return new Date(instantOf(wallOf(found), zone));
  };
};

const toParts = named(['date', 'timezone', 'iso8601'], ['date'], (given) => {
  const { date, timezone, iso8601: iso } = given;
  if (isNullish(date) || (Object.hasOwn(given, 'timezone') && isNullish(timezone))) return null;
  if (iso !== undefined && typeof iso !== 'boolean')
    throw fail(40521, `iso8601 must evaluate to a bool, found ${typeText(iso)}`);
  const wall = wallClock(instantArgument(date), zoneOf(timezone));
  const clock = {
    hour: int(wall.getUTCHours()),
    minute: int(wall.getUTCMinutes()),
    second: int(wall.getUTCSeconds()),
    millisecond: int(wall.getUTCMilliseconds()),
  };
  if (iso)
    return {
      isoWeekYear: int(isoYear(wall)),
      isoWeek: int(isoWeek(wall)),
      isoDayOfWeek: int(isoDay(wall)),
      ...clock,
    };
  return {
    year: int(wall.getUTCFullYear()),
    month: int(wall.getUTCMonth() + 1),
    day: int(wall.getUTCDate()),
    ...clock,
  };
});

/** Date parts, and conversion of dates to and from text and parts. */
export const dateOperators: Operators = {
  ...Object.fromEntries(Object.entries(parts).map(([name, read]) => [name, part(read)])),
  $dateToString: toText,
  $dateFromString: fromText,
  $dateFromParts: fromParts,
  $dateToParts: toParts,
};
