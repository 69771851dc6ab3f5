import type { FieldNode } from '../query/ast.js';
import { BsonType, isNumericType, typeNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { Bracket, bracket } from '../values/compare.js';
import type { Collation } from '../values/compare.js';
import { formatValue } from '../values/format.js';
import { isNaNValue } from '../values/numbers.js';
import { bracketBounds, encodeKey, keyUpperBound } from '../values/key.js';
import type { Direction } from '../values/key.js';
import { compareBytes, EMPTY } from './key-layout.js';

/** A range [low, high) of encoded keys of one index field, with the bounds as text for explain output. */
export interface Interval {
  low: Uint8Array;
  high: Uint8Array;
  /** The interval holds a single value, so the next index field can be bounded too. */
  point: boolean;
  lowText: string;
  highText: string;
}

/**
 * `exact` is true when every key in the intervals satisfies the conditions, so the documents need no further
 * check.
 */
export interface FieldBounds {
  intervals: Interval[];
  exact: boolean;
  /**
   * Set when the bounds would be exact but for NaN. In an index NaN sorts below all numbers, but no
   * comparison with a number matches it.
   */
  exceptNaN?: boolean;
}

const BYTE_END = Uint8Array.of(0xff);

export const fullInterval = (direction: Direction): Interval => ({
  low: EMPTY,
  high: BYTE_END,
  point: false,
  ...(direction === 1
    ? { lowText: '[MinKey', highText: 'MaxKey]' }
    : { lowText: '[MaxKey', highText: 'MinKey]' }),
});

const exactTypes = new Set<number>([
  BsonType.int,
  BsonType.long,
  BsonType.double,
  BsonType.decimal,
  BsonType.string,
  BsonType.objectId,
  BsonType.date,
  BsonType.bool,
  BsonType.binData,
]);

const isExact = (value: Value): boolean => {
  const type = typeNumber(value);
  return exactTypes.has(type) && !(isNumericType(type) && isNaNValue(value));
};

/** Whether the value can contain strings. Comparing them requires an index with the query's collation. */
export const dependsOnCollation = (value: Value): boolean => {
  const kind = bracket(value);
  return kind === Bracket.string || kind === Bracket.object || kind === Bracket.array;
};

/** Computes the bounds of one index field. */
export class BoundsMaker {
  constructor(
    private readonly direction: Direction,
    private readonly collation: Collation | undefined,
    /** Whether the index and the query use the same collation. */
    private readonly sameCollation: boolean,
    /** Whether to produce the text of each interval. This costs more than computing the bounds. */
    private readonly withTexts: boolean,
  ) {}

  /**
   * Returns the keys that can satisfy the condition, or undefined when the condition does not narrow the
   * scan.
   */
  of(node: FieldNode): FieldBounds | undefined {
    switch (node.op) {
      case 'eq':
        return this.equal([node.value]);
      case 'in': {
        const points = this.equal(node.values);
        if (!points || node.regexes.length === 0) return points;
        const patterns = node.regexes.map((regex) => this.pattern(regex, ''));
        if (patterns.some((bounds) => !bounds)) return undefined;
        const intervals = [points, ...patterns].flatMap((bounds) => bounds?.intervals ?? []);
        return { intervals: disjoint(intervals), exact: false };
      }
      case 'gt':
      case 'gte':
      case 'lt':
      case 'lte':
        return this.range(node.op, node.value);
      case 'regex':
        return this.pattern(node.regex, node.prefix);
      default:
        return undefined;
    }
  }

  private equal(values: readonly Value[]): FieldBounds | undefined {
    if (!this.sameCollation && values.some(dependsOnCollation)) return undefined;
    let exact = true;
    const intervals: Interval[] = [];
    for (const value of values) {
      intervals.push(this.point(value));
      if (isExact(value)) continue;
      exact = false;
      const type = typeNumber(value);
      // Arrays are indexed by their elements. The array itself also matches as an element of an array in a
      // document.
      if (type === BsonType.array) intervals.push(this.point((value as Value[])[0]));
      // A condition on null also matches undefined.
      if (type === BsonType.null) intervals.push(this.point(undefined));
      if (type === BsonType.undefined) intervals.push(this.point(null));
    }
    return { intervals: disjoint(intervals), exact };
  }

  private point(value: Value): Interval {
    const low = this.encode(value);
    const text = this.text(value);
    return { low, high: keyUpperBound(low), point: true, lowText: `[${text}`, highText: `${text}]` };
  }

  private range(op: 'gt' | 'gte' | 'lt' | 'lte', value: Value): FieldBounds | undefined {
    const kind = bracket(value);
    if (kind === Bracket.minKey || kind === Bracket.maxKey || kind === Bracket.array) return undefined;
    if (kind === Bracket.null || kind === Bracket.undefined)
      return op.endsWith('e') ? this.equal([null]) : undefined;
    if (!this.sameCollation && dependsOnCollation(value)) return undefined;
    const upward = op === 'gt' || op === 'gte';
    const inclusive = op === 'gte' || op === 'lte';
    const { low, high } = bracketBounds(EMPTY, value, this.direction);
    const key = this.encode(value);
    const text = this.text(value);
    const ownText = inclusive ? `[${text}` : `(${text}`;
    const otherText = upward ? upperText(kind) : lowerText(kind);
    const interval: Interval =
      upward === (this.direction === 1)
        ? {
            low: inclusive ? key : keyUpperBound(key),
            high,
            point: false,
            lowText: ownText,
            highText: `${otherText}]`,
          }
        : {
            low,
            high: inclusive ? keyUpperBound(key) : key,
            point: false,
            lowText: `[${otherText}`,
            highText: inclusive ? `${text}]` : `${text})`,
          };
    const withNaN = kind === Bracket.number && !upward;
    return {
      intervals: compareBytes(interval.low, interval.high) < 0 ? [interval] : [],
      exact: isExact(value) && !withNaN,
      exceptNaN: isExact(value) && withNaN,
    };
  }

  /** Matches strings with the pattern's prefix, and stored regular expressions that equal the pattern. */
  private pattern(regex: Value, prefix: string): FieldBounds | undefined {
    if (this.collation || !this.sameCollation) return undefined;
    const strings = bracketBounds(EMPTY, '', this.direction);
    const patterns = bracketBounds(EMPTY, regex, this.direction);
    const texts = prefix ? this.prefixRange(prefix) : strings;
    const shown = this.text(regex);
    return {
      intervals: disjoint([
        {
          ...texts,
          point: false,
          lowText: `["${prefix}"`,
          highText: prefix ? `"${afterPrefix(prefix)}")` : '{})',
        },
        { ...patterns, point: false, lowText: `[${shown}`, highText: `${shown}]` },
      ]),
      exact: false,
    };
  }

  private prefixRange(prefix: string): { low: Uint8Array; high: Uint8Array } {
    // An encoded string ends with a two-byte terminator. Without it, the key is a prefix of all longer
    // strings.
    const whole = this.encode(prefix);
    const low = whole.subarray(0, whole.length - 2);
    return { low, high: keyUpperBound(low) };
  }

  private text(value: Value): string {
    return this.withTexts ? formatValue(value) : '';
  }

  private encode(value: Value): Uint8Array {
    return encodeKey([value], [this.direction], this.collation);
  }
}

const afterPrefix = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);

const upperText = (kind: number): string => {
  switch (kind) {
    case Bracket.number:
      return 'inf.0';
    case Bracket.string:
      return '{}';
    case Bracket.bool:
      return 'true';
    case Bracket.date:
      return 'new Date(9223372036854775807)';
    case Bracket.objectId:
      return "ObjectId('ffffffffffffffffffffffff')";
    default:
      return 'MaxKey';
  }
};

const lowerText = (kind: number): string => {
  switch (kind) {
    case Bracket.number:
      return '-inf.0';
    case Bracket.string:
      return '""';
    case Bracket.bool:
      return 'false';
    case Bracket.date:
      return 'new Date(-9223372036854775808)';
    case Bracket.objectId:
      return "ObjectId('000000000000000000000000')";
    default:
      return 'MinKey';
  }
};

/** Sorts the intervals and merges those that overlap. */
const disjoint = (intervals: Interval[]): Interval[] => {
  if (intervals.length < 2) return intervals;
  const sorted = [...intervals].sort((a, b) => compareBytes(a.low, b.low));
  const result: Interval[] = [];
  for (const interval of sorted) {
    const last = result.at(-1);
    if (!last || compareBytes(interval.low, last.high) >= 0) result.push(interval);
    else if (compareBytes(interval.high, last.high) > 0) {
      result[result.length - 1] = { ...last, high: interval.high, highText: interval.highText, point: false };
    }
  }
  return result;
};

/** Intersects two lists of disjoint, sorted intervals. */
export const intersect = (a: Interval[], b: Interval[]): Interval[] => {
  const result: Interval[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    const low = compareBytes(x.low, y.low) >= 0 ? x : y;
    const high = compareBytes(x.high, y.high) <= 0 ? x : y;
    if (compareBytes(low.low, high.high) < 0) {
      result.push({
        low: low.low,
        lowText: low.lowText,
        high: high.high,
        highText: high.highText,
        point: x.point || y.point,
      });
    }
    if (high === x) i++;
    else j++;
  }
  return result;
};

/** Intersects any number of bounds of the same field. */
export const intersectBounds = (all: FieldBounds[]): FieldBounds => {
  const intervals = all
    .slice(1)
    .reduce((left, bounds) => intersect(left, bounds.intervals), all[0]!.intervals);
  const exceptNaN = all.every((bounds) => bounds.exact || bounds.exceptNaN);
  return { intervals, exact: exceptNaN && all.some((bounds) => bounds.exact), exceptNaN };
};
