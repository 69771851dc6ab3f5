import type { Value } from '../values/bson.js';
import { fail, isNullish, typeText } from './scope.js';

/** Returns the offset from UTC at an instant, in milliseconds. */
export type Zone = (instant: number) => number;

export const utc: Zone = () => 0;

const zones = new Map<string, Zone>([
  ['UTC', utc],
  ['GMT', utc],
  ['Z', utc],
  ['Etc/UTC', utc],
]);

const named = (name: string): Zone => {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw fail(40485, `unrecognized time zone identifier: "${name}"`);
  }
  return (instant) => {
    const parts: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(instant)) parts[type] = value;
    const year = Number(parts['year']);
    const wall = Date.UTC(
      parts['era'] === 'BC' ? 1 - year : year,
      Number(parts['month']) - 1,
      Number(parts['day']),
      Number(parts['hour']),
      Number(parts['minute']),
      Number(parts['second']),
    );
    return wall - Math.floor(instant / 1000) * 1000;
  };
};

/**
 * Parses an Olson name (`Europe/London`) or an offset (`+03`, `-0530`, `+05:30`). Null and missing mean UTC.
 */
export const zoneOf = (value: Value): Zone => {
  if (isNullish(value)) return utc;
  if (typeof value !== 'string')
    throw fail(40517, `timezone must evaluate to a string, found ${typeText(value)}`);
  const known = zones.get(value);
  if (known) return known;
  const offset = /^([+-])(\d{2}):?(\d{2})?$/.exec(value);
  const sign = offset?.[1] === '-' ? -1 : 1;
  const fixed = sign * (Number(offset?.[2]) * 60 + Number(offset?.[3] ?? 0)) * 60_000;
  const zone = offset ? (): number => fixed : named(value);
  if (zones.size < 1000) zones.set(value, zone);
  return zone;
};

/** A Date whose UTC fields hold the local time of the zone at an instant. */
export const wallClock = (instant: number, zone: Zone): Date => new Date(instant + zone(instant));

/**
 * The instant at which the zone's local time is `wall` (in UTC milliseconds). If that occurs twice, the
 * earlier one.
 */
export const instantOf = (wall: number, zone: Zone): number => {
  const guess = wall - zone(wall);
  const corrected = wall - zone(guess);
  return corrected === guess || corrected + zone(corrected) === wall ? corrected : guess;
};
