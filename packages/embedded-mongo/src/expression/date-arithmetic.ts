import { formatValue, isNumeric, long, toNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { isIntegral } from '../values/numbers.js';
import { instantArgument } from './dates.js';
import { fail, isNullish, named, typeText } from './scope.js';
import type { OperatorCompiler, Operators } from './scope.js';
import { instantOf, wallClock, zoneOf } from './time-zones.js';
import type { Zone } from './time-zones.js';

const DAY = 86_400_000;

/** Fixed-length units, in milliseconds. */
const lengths: Record<string, number> = { hour: 3_600_000, minute: 60_000, second: 1000, millisecond: 1 };
/** Units measured in months. */
const inMonths: Record<string, number> = { year: 12, quarter: 3, month: 1 };
const units = new Set(['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond']);

const unitArgument = (value: Value, name: string): string => {
  if (typeof value !== 'string') throw fail(5439013, `${name} expects string defining a time unit`);
  if (!units.has(value)) throw fail(9, `unknown time unit value: ${value}`);
  return value;
};

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** Number of the weekday on which weeks start (Sunday is 0). */
const weekStart = (value: Value, name: string): number => {
  if (isNullish(value)) return 0;
  if (typeof value !== 'string')
    throw fail(5439015, `${name} requires 'startOfWeek' to be a string, found: ${typeText(value)}`);
  const text = value.toLowerCase();
  const index = weekdays.findIndex((day) => day === text || day.slice(0, 3) === text);
  if (index < 0) throw fail(9, `unknown day of week value: ${value}`);
  return index;
};

const monthsOf = (wall: Date): number => wall.getUTCFullYear() * 12 + wall.getUTCMonth();

const daysInMonth = (year: number, month: number): number =>
  new Date(Date.UTC(year, month + 1, 0)).getUTCDate();

const addMonths = (wall: Date, months: number): number => {
  const total = monthsOf(wall) + months;
  const year = Math.floor(total / 12);
  const month = total - year * 12;
  const moved = new Date(wall);
  moved.setUTCFullYear(year, month, Math.min(wall.getUTCDate(), daysInMonth(year, month)));
  return moved.getTime();
};

/** The instant `amount` units later. Days and longer units are added in the zone's local time. */
export const addUnits = (instant: number, unit: string, amount: number, zone: Zone): number => {
  const fixed = lengths[unit];
  if (fixed !== undefined) return instant + amount * fixed;
  const wall = wallClock(instant, zone);
  const months = inMonths[unit];
  if (months !== undefined) return instantOf(addMonths(wall, amount * months), zone);
  return instantOf(wall.getTime() + amount * (unit === 'week' ? 7 : 1) * DAY, zone);
};

const shift = (sign: 1 | -1): OperatorCompiler =>
  named(['startDate', 'unit', 'amount', 'timezone'], ['startDate', 'unit', 'amount'], (given, name) => {
    const { startDate, unit, amount, timezone } = given;
    if (isNullish(startDate) || isNullish(unit) || isNullish(amount)) return null;
    if (Object.hasOwn(given, 'timezone') && isNullish(timezone)) return null;
    if (!isNumeric(amount) || !isIntegral(amount))
      throw fail(5166405, `${name} expects integer amount of time units`);
    const moved = addUnits(
      instantArgument(startDate),
      unitArgument(unit, name),
      sign * toNumber(amount),
      zoneOf(timezone),
    );
    const result = new Date(moved);
    if (Number.isNaN(result.getTime())) throw fail(15, `${name} overflowed`);
    return result;
  });

const weekNumber = (wall: Date, start: number): number =>
  Math.floor((Math.floor(wall.getTime() / DAY) + 4 - start) / 7);

/** Number of unit boundaries between two instants. */
const boundaries = (from: number, to: number, unit: string, zone: Zone, start: number): number => {
  const fixed = lengths[unit];
  const [wallFrom, wallTo] = [wallClock(from, zone), wallClock(to, zone)];
  if (fixed !== undefined) {
    const shifted = zone(to) - zone(from);
    const wallCount = Math.floor(wallTo.getTime() / fixed) - Math.floor(wallFrom.getTime() / fixed);
    return wallCount - Math.round(shifted / fixed);
  }
  const months = inMonths[unit];
  if (months !== undefined)
    return Math.floor(monthsOf(wallTo) / months) - Math.floor(monthsOf(wallFrom) / months);
  if (unit === 'week') return weekNumber(wallTo, start) - weekNumber(wallFrom, start);
  return Math.floor(wallTo.getTime() / DAY) - Math.floor(wallFrom.getTime() / DAY);
};

const difference = named(
  ['startDate', 'endDate', 'unit', 'timezone', 'startOfWeek'],
  ['startDate', 'endDate', 'unit'],
  (given, name) => {
    const { startDate, endDate, unit, timezone, startOfWeek } = given;
    if (isNullish(startDate) || isNullish(endDate) || isNullish(unit)) return null;
    if (Object.hasOwn(given, 'timezone') && isNullish(timezone)) return null;
    const count = boundaries(
      instantArgument(startDate),
      instantArgument(endDate),
      unitArgument(unit, name),
      zoneOf(timezone),
      weekStart(startOfWeek, name),
    );
    return long(count);
  },
);

const floorTo = (value: number, step: number): number => Math.floor(value / step) * step;

/**
 * Truncates to a bin. Bins are counted from January 1, 2000 in the zone (for weeks, from the first start of a
 * week on or after that day).
 */
const truncate = (instant: number, unit: string, bin: number, zone: Zone, start: number): number => {
  const reference = Date.UTC(2000, 0, 1);
  const fixed = lengths[unit];
  if (fixed !== undefined) {
    const origin = instantOf(reference, zone);
    return origin + floorTo(instant - origin, fixed * bin);
  }
  const wall = wallClock(instant, zone);
  const months = inMonths[unit];
  if (months !== undefined) {
    const floored = 2000 * 12 + floorTo(monthsOf(wall) - 2000 * 12, months * bin);
    const year = Math.floor(floored / 12);
    const first = new Date(0);
    first.setUTCFullYear(year, floored - year * 12, 1);
    return instantOf(first.getTime(), zone);
  }
  const days = unit === 'week' ? 7 : 1;
  const origin = unit === 'week' ? reference + ((start - 6 + 7) % 7) * DAY : reference;
  return instantOf(origin + floorTo(wall.getTime() - origin, days * bin * DAY), zone);
};

const truncation = named(
  ['date', 'unit', 'binSize', 'timezone', 'startOfWeek'],
  ['date', 'unit'],
  (given, name) => {
    const { date, unit, binSize, timezone, startOfWeek } = given;
    if (isNullish(date) || isNullish(unit)) return null;
    if (Object.hasOwn(given, 'timezone') && isNullish(timezone)) return null;
    if (Object.hasOwn(given, 'binSize') && isNullish(binSize)) return null;
    const bin = binSize === undefined ? 1 : binArgument(binSize);
    const start = weekStart(startOfWeek, name);
    return new Date(truncate(instantArgument(date), unitArgument(unit, name), bin, zoneOf(timezone), start));
  },
);

const binArgument = (value: Value): number => {
  if (!isNumeric(value) || !isIntegral(value))
    throw fail(
      5439017,
      `$dateTrunc requires 'binSize' to be a 64-bit integer, but got value '${formatValue(value)}' of type ${typeText(value)}`,
    );
  if (toNumber(value) <= 0)
    throw fail(
      5439018,
      `$dateTrunc requires 'binSize' to be greater than 0, but got value ${toNumber(value)}`,
    );
  return toNumber(value);
};

export const dateArithmeticOperators: Operators = {
  $dateAdd: shift(1),
  $dateSubtract: shift(-1),
  $dateDiff: difference,
  $dateTrunc: truncation,
};
