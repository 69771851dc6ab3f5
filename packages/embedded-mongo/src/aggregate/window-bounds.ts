import { isDoc, isNumeric, toNumber, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** The documents of a sorted partition that one window covers: from `start` up to, without, `end`. */
export interface Span {
  start: number;
  end: number;
}

/** The window of each document of a partition. `prefix`: every window begins with the first document. */
export interface Bounds {
  kind: 'whole' | 'prefix' | 'sliding';
  span(index: number, sortValues: readonly Value[]): Span;
}

type Bound = 'unbounded' | 'current' | number;

const millis: Readonly<Record<string, number>> = {
  week: 604_800_000,
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
  second: 1_000,
  millisecond: 1,
};
const months: Readonly<Record<string, number>> = { month: 1, quarter: 3, year: 12 };

const invalid = (message: string): ServerError => new ServerError('FailedToParse', message);

function bound(value: Value, whole: boolean): Bound {
  if (value === 'unbounded' || value === 'current') return value;
  if (isNumeric(value) && (!whole || Number.isInteger(toNumber(value)))) return toNumber(value);
  throw invalid("Window bounds must be 'unbounded', 'current', or a number");
}

function pair(value: Value, whole: boolean): [Bound, Bound] {
  if (!Array.isArray(value) || value.length !== 2) throw invalid('Window bounds must be a 2-element array');
  return [bound(value[0], whole), bound(value[1], whole)];
}

/** Reads `window: { documents }` or `window: { range, unit }`; none means the whole partition. */
export function parseBounds(window: Value, sortFields: number): Bounds {
  if (window === undefined) return { kind: 'whole', span: (_, values) => ({ start: 0, end: values.length }) };
  if (!isDoc(window)) throw invalid("'window' field must be an object");
  const { documents, range, unit } = window;
  if (documents !== undefined && range !== undefined) {
    throw invalid("Window bounds can specify either 'documents' or 'range', not both");
  }
  if (range !== undefined) return rangeBounds(pair(range, false), unit, sortFields);
  if (documents === undefined) return parseBounds(undefined, sortFields);
  const [low, high] = pair(documents, true);
  return {
    kind: low !== 'unbounded' ? 'sliding' : high === 'unbounded' ? 'whole' : 'prefix',
    span: (index, values) => ({
      start: low === 'unbounded' ? 0 : Math.max(0, index + offset(low)),
      end: high === 'unbounded' ? values.length : Math.min(values.length, index + offset(high) + 1),
    }),
  };
}

const offset = (value: Exclude<Bound, 'unbounded'>): number => (value === 'current' ? 0 : value);

function rangeBounds([low, high]: [Bound, Bound], unit: Value, sortFields: number): Bounds {
  if (sortFields !== 1) throw new ServerError(5339902, 'Range-based bounds require sortBy a single field');
  const shift = shiftBy(unit);
  const edge = (value: Value, by: Bound): number => (by === 'unbounded' ? NaN : shift(value, offset(by)));
  return {
    kind: low === 'unbounded' && high === 'unbounded' ? 'whole' : 'sliding',
    span(index, values) {
      const least = edge(values[index], low);
      const most = edge(values[index], high);
      let start = index;
      let end = index + 1;
      if (low === 'unbounded') start = 0;
      else while (start > 0 && position(values[start - 1]) >= least) start -= 1;
      while (low !== 'unbounded' && start < values.length && position(values[start]) < least) start += 1;
      if (high === 'unbounded') end = values.length;
      else while (end < values.length && position(values[end]) <= most) end += 1;
      while (high !== 'unbounded' && end > 0 && position(values[end - 1]) > most) end -= 1;
      return { start, end };
    },
  };
}

/** Where a value lies on the axis that the partition is sorted by. */
export function position(value: Value): number {
  if (value instanceof Date) return value.getTime();
  if (isNumeric(value)) return toNumber(value);
  throw new ServerError(5429414, 'range-based windows need a sortBy of numbers or dates');
}

/** Moves a value of the sort's axis by so many units; the answer is a position. */
export function shiftBy(unit: Value): (value: Value, by: number) => number {
  if (unit === undefined) return (value, by) => position(value) + by;
  const name = String(unit);
  const fixed = millis[name];
  if (fixed !== undefined) return (value, by) => position(value) + by * fixed;
  const calendar = months[name];
  if (calendar === undefined) throw invalid(`unknown time unit value: ${name}`);
  return (value, by) => {
    const date = new Date(position(value));
    date.setUTCMonth(date.getUTCMonth() + by * calendar);
    return date.getTime();
  };
}

/** Milliseconds of a unit of fixed length, as `$derivative` and `$integral` divide by; 1 without a unit. */
export function unitMillis(unit: Value): number {
  if (unit === undefined) return 1;
  const fixed = millis[String(unit)];
  if (fixed === undefined) throw invalid(`unit must be 'week' or smaller, found ${String(unit)}`);
  return fixed;
}

/** Names of a window function's specification: its operator, beside `window`. */
export function operatorOf(field: string, spec: Value): { name: string; argument: Value; window: Value } {
  const names = isDoc(spec) ? Object.keys(spec).filter((name) => name !== 'window') : [];
  const [name] = names;
  if (!isDoc(spec) || name === undefined || names.length > 1) {
    throw invalid(`The field '${field}' must be an object with exactly one window function`);
  }
  return { name, argument: spec[name], window: spec['window'] };
}
