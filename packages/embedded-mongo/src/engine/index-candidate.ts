import type { SortField } from '../query/sort.js';
import { pathKeys } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { BoundsMaker, fullInterval, intersectBounds } from './bounds.js';
import type { FieldBounds } from './bounds.js';
import type { Index } from './index-definition.js';
import { concatKey, isCut, lowerBoundKey, storedKey, upperBoundKey } from './key-layout.js';
import type { KeyInterval, Plan } from './plan.js';
import type { Predicate } from './predicates.js';

/** With more combinations of equality values than this, they are not scanned one by one. */
const MAX_COMBINATIONS = 1_000;
/** With more groups than this, results are sorted in memory instead of merged. */
const MAX_MERGED = 200;

/** One way to use an index, with the figures by which the planner ranks it. */
export interface Candidate {
  index: Index;
  plan: Plan;
  /** Number of fields bounded by a single value. */
  equalities: number;
  /**
   * How many of these fields are compared with true or false. Such a field is assumed to match half of the
   * records.
   */
  flags: number;
  /** Number of fields bounded by several values or by a range. */
  ranges: number;
  sorted: boolean;
  onePoint: boolean;
  /** The plan looks up a list of keys in a unique index, so it finds at most one record per key. */
  uniqueKeys: boolean;
}

interface Bounded {
  bounds: FieldBounds;
  predicates: Predicate[];
}

export interface CandidateRequest {
  predicates: readonly Predicate[];
  /** Number of conjuncts in the filter. If all of them are bounded exactly, the plan is exact. */
  conjuncts: number;
  sort: readonly SortField[] | undefined;
  sameCollation: boolean;
  /** Whether to produce the bounds as text, for explain. */
  withTexts: boolean;
}

export const candidateOf = (index: Index, request: CandidateRequest): Candidate => {
  const fields = boundedFields(index, request);
  const exact = !index.cut && isExact(fields, request.conjuncts);
  const equalities = fields.filter(isPoint).length;
  const counts = {
    equalities,
    flags: fields.filter(isFlag).length,
    ranges: fields.length - equalities,
  };
  const bounds = request.withTexts ? shownBounds(index, fields) : {};
  if (fields.some((field) => field.bounds.intervals.length === 0)) {
    return { index, plan: { kind: 'none' }, ...counts, sorted: true, onePoint: true, uniqueKeys: true };
  }
  const order = sortOrder(index, fields, request);
  if (index.unique && equalities === index.fields.length) {
    const key = concatKey(
      index.prefix,
      storedKey(joined(fields.map((field) => field.bounds.intervals[0]!.low))),
    );
    return {
      index,
      plan: { kind: 'point', index, key, exact, sorted: true, bounds },
      ...counts,
      sorted: true,
      onePoint: true,
      uniqueKeys: true,
    };
  }
  const groups = keyGroups(index, fields, order?.from);
  const sorted = order !== undefined && groups.length <= MAX_MERGED;
  return {
    index,
    plan: {
      kind: 'index',
      index,
      reverse: sorted && order.reverse,
      groups: sorted ? groups : [{ intervals: groups.flatMap((group) => group.intervals), mergeAfter: 0 }],
      exact,
      sorted,
      bounds,
    },
    ...counts,
    sorted,
    onePoint: false,
    uniqueKeys: index.unique && fields.length === index.fields.length && fields.every(arePoints),
  };
};

/**
 * Whether the filter has no conditions other than those on the bounded fields, and every key within the
 * bounds satisfies them.
 */
const isExact = (fields: Bounded[], conjuncts: number): boolean => {
  let used = 0;
  for (const { bounds, predicates } of fields) {
    if (!bounds.exact || !predicates.every((predicate) => predicate.whole)) return false;
    used += predicates.length;
  }
  return used === conjuncts;
};

const isPoint = (field: Bounded | undefined): boolean =>
  field?.bounds.intervals.length === 1 && field.bounds.intervals[0]!.point;

const isFlag = (field: Bounded): boolean =>
  isPoint(field) &&
  field.predicates.some(({ nodes }) =>
    nodes.some((node) => node.op === 'eq' && typeof node.value === 'boolean'),
  );

const arePoints = (field: Bounded): boolean => field.bounds.intervals.every((interval) => interval.point);

/** Bounds of the leading fields: equality values as far as possible, then one range. */
const boundedFields = (index: Index, request: CandidateRequest): Bounded[] => {
  const fields: Bounded[] = [];
  const arrays = new Set<string>();
  let combinations = 1;
  for (const [i, path] of index.fields.entries()) {
    const root = pathKeys(path)[0]!;
    // In a multikey index, two fields below one array may come from different elements of it.
    if (index.multikey && arrays.has(root)) break;
    arrays.add(root);
    const maker = new BoundsMaker(
      index.directions[i]!,
      index.collation,
      request.sameCollation,
      request.withTexts,
    );
    const bounded = fieldBounds(request.predicates, path, maker, index.multikey);
    if (!bounded) break;
    combinations *= Math.max(1, bounded.bounds.intervals.length);
    if (combinations > MAX_COMBINATIONS && i > 0) break;
    fields.push(bounded);
    if (!arePoints(bounded)) break;
  }
  return fields;
};

const fieldBounds = (
  predicates: readonly Predicate[],
  path: string,
  maker: BoundsMaker,
  multikey: boolean,
): Bounded | undefined => {
  let made: Bounded | undefined;
  for (const predicate of predicates) {
    if (predicate.path !== path) continue;
    const bounds = predicateBounds(predicate, maker);
    if (!bounds) continue;
    if (!made) made = { bounds, predicates: [predicate] };
    else if (!multikey) {
      made = {
        bounds: intersectBounds([made.bounds, bounds]),
        predicates: [...made.predicates, predicate],
      };
    } else if (width(bounds) < width(made.bounds)) {
      // Different elements of an array may satisfy different conditions, so only one condition narrows the
      // scan.
      made = { bounds, predicates: [predicate] };
    }
  }
  return made;
};

const predicateBounds = ({ nodes }: Predicate, maker: BoundsMaker): FieldBounds | undefined => {
  if (nodes.length === 1) return maker.of(nodes[0]!);
  const parts: FieldBounds[] = [];
  for (const node of nodes) {
    const bounds = maker.of(node);
    if (bounds) parts.push(bounds);
  }
  if (parts.length === 0) return undefined;
  const all = intersectBounds(parts);
  if (parts.length < nodes.length) all.exact = false;
  return all;
};

const width = ({ intervals }: FieldBounds): number =>
  intervals.every((interval) => interval.point) ? intervals.length : 100_000;

const joined = (parts: Uint8Array[]): Uint8Array =>
  parts.length === 1 ? parts[0]! : new Uint8Array(Buffer.concat(parts));

interface Prefix {
  bytes: Uint8Array;
}

/**
 * The intervals of whole keys, grouped by the values of the fields before `groupBy`. Without it, there is one
 * group.
 */
const keyGroups = (index: Index, fields: Bounded[], groupBy: number | undefined) => {
  const split = Math.min(groupBy ?? 0, fields.length);
  const heads = combine([{ bytes: new Uint8Array(0) }], fields.slice(0, split));
  const groups = heads.map(({ bytes }) => ({
    intervals: intervalsBelow(index, bytes, fields.slice(split)),
    mergeAfter: index.prefix.length + bytes.length,
  }));
  return groups;
};

const combine = (prefixes: Prefix[], fields: Bounded[]): Prefix[] =>
  fields.reduce(
    (made, field) =>
      made.flatMap(({ bytes }) =>
        field.bounds.intervals.map((interval) => ({ bytes: concatKey(bytes, interval.low) })),
      ),
    prefixes,
  );

const intervalsBelow = (index: Index, head: Uint8Array, fields: Bounded[]): KeyInterval[] => {
  const last = fields.at(-1);
  if (!last) return [whole(index, head)];
  const prefixes = combine([{ bytes: head }], fields.slice(0, -1));
  return prefixes.flatMap(({ bytes }) =>
    last.bounds.intervals.map((interval) =>
      keyInterval(index, concatKey(bytes, interval.low), concatKey(bytes, interval.high)),
    ),
  );
};

/** The range of all keys that begin with `head`. */
const whole = (index: Index, head: Uint8Array): KeyInterval => {
  const high = new Uint8Array(head.length + 1);
  high.set(head);
  high[head.length] = 0xff;
  return keyInterval(index, head, high);
};

const keyInterval = (index: Index, low: Uint8Array, high: Uint8Array): KeyInterval => ({
  low: concatKey(index.prefix, isCut(low) || index.cut ? lowerBoundKey(low) : low),
  high: concatKey(index.prefix, isCut(high) || index.cut ? upperBoundKey(high) : high),
});

/** Determines whether the index provides the sort order, from which field, and in which scan direction. */
const sortOrder = (
  index: Index,
  fields: Bounded[],
  request: CandidateRequest,
): { from: number; reverse: boolean } | undefined => {
  if (!request.sort || index.multikey || index.cut || !request.sameCollation) return undefined;
  const constant = new Set(index.fields.filter((_, i) => isPoint(fields[i])));
  const wanted = request.sort.filter((field) => !constant.has(field.path));
  const [first] = wanted;
  if (!first) return { from: 0, reverse: false };
  const from = index.fields.indexOf(first.path);
  if (from < 0 || from > fields.length || !fields.slice(0, from).every(arePoints)) return undefined;
  let at = from;
  let reverse: boolean | undefined;
  for (const field of wanted) {
    while (isPoint(fields[at]) && index.fields[at] !== field.path) at++;
    if (index.fields[at] !== field.path) return undefined;
    const backward = index.directions[at] !== field.direction;
    if (reverse !== undefined && reverse !== backward) return undefined;
    reverse = backward;
    at++;
  }
  return { from, reverse: reverse ?? false };
};

const shownBounds = (index: Index, fields: Bounded[]): Doc => {
  const bounds: Doc = {};
  index.fields.forEach((path, i) => {
    const intervals = fields[i]?.bounds.intervals ?? [fullInterval(index.directions[i]!)];
    bounds[path] = intervals.map((interval) => `${interval.lowText}, ${interval.highText}`);
  });
  return bounds;
};
