import type { FilterNode } from '../query/ast.js';
import type { SortField } from '../query/sort.js';
import { toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import type { Collation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';
import { encodeKey } from '../values/key.js';
import type { Collection } from './catalog.js';
import { candidateOf } from './index-candidate.js';
import type { Candidate } from './index-candidate.js';
import type { Index } from './index-definition.js';
import { compareBytes, concatKey, lowerBoundKey, prefixEnd, upperBoundKey } from './key-layout.js';
import { isSorted } from './plan.js';
import type { Plan } from './plan.js';
import { conjunctsOf, excludesMissing, expressionPredicates, implies, predicatesOf } from './predicates.js';
import type { Predicate } from './predicates.js';
import { planOfWildcard } from './wildcard-plan.js';

export interface PlanRequest {
  ast: FilterNode;
  sort?: readonly SortField[];
  /** Storage order, requested by `$natural` in the sort or the hint. */
  natural?: 1 | -1;
  hint?: string | Doc;
  min?: Doc;
  max?: Doc;
  collation?: Collation;
  /** Values of the command's `let`, for `$expr`. */
  let?: Doc;
  /** Sequence of the reader's snapshot. Indexes completed later do not cover its data. */
  snapshotSeq?: number;
  /** Whether the plan includes its bounds as text, for explain. */
  withTexts?: boolean;
}

/**
 * Chooses how to find the records. Plans are preferred in this order: unique equality, a list of unique keys,
 * the most equalities (on a tie, the fewest boolean ones), ranges, sort order, and finally a collection scan.
 */
export const planQuery = (collection: Collection, request: PlanRequest): Plan => {
  const conjuncts = conjunctsOf(request.ast);
  if (conjuncts.some((node) => node.kind === 'false')) return { kind: 'none' };
  const scanAll: Plan = {
    kind: 'collection',
    reverse: request.natural === -1,
    exact: conjuncts.length === 0,
  };
  if (request.natural !== undefined) return scanAll;
  const hinted = request.hint === undefined ? undefined : hintedIndex(collection, request.hint);
  if (request.min || request.max) return boundedByKeys(hinted, request);
  if (hinted) return hintedPlan(hinted, conjuncts, request) ?? scanAll;
  const usable = collection.indexes.filter((index) => isUsable(index, request));
  const best = bestCandidate(usable, conjuncts, request);
  if (best && best.equalities + best.ranges > 0) return best.plan;
  const wildcard = wildcardPlan(collection, conjuncts, request);
  if (wildcard) return wildcard;
  const union = unionPlan(usable, conjuncts, request);
  if (union) return union;
  return best?.sorted ? best.plan : scanAll;
};

const isUsable = (index: Index, request: PlanRequest): boolean => index.ordered && isVisible(index, request);

const isVisible = (index: Index, { snapshotSeq }: PlanRequest): boolean =>
  index.readyAt !== undefined &&
  !index.spec.hidden &&
  (snapshotSeq === undefined || index.readyAt <= snapshotSeq);

const candidate = (
  index: Index,
  conjuncts: readonly FilterNode[],
  predicates: readonly Predicate[],
  request: PlanRequest,
): Candidate =>
  candidateOf(index, {
    predicates,
    conjuncts: conjuncts.length,
    sort: request.sort,
    sameCollation: sameCollation(index.collation, request.collation),
    withTexts: request.withTexts ?? false,
  });

const hintedPlan = (
  index: Index,
  conjuncts: readonly FilterNode[],
  request: PlanRequest,
): Plan | undefined => {
  if (index.ordered) return candidate(index, conjuncts, allPredicates(conjuncts, request), request).plan;
  return index.wildcard && wildcardCandidate(index, predicatesOf(conjuncts), request);
};

/** Wildcard indexes are considered last: they provide no order and have no compound keys. */
const wildcardPlan = (
  collection: Collection,
  conjuncts: readonly FilterNode[],
  request: PlanRequest,
): Plan | undefined => {
  for (const index of collection.indexes) {
    if (!index.wildcard || !isVisible(index, request)) continue;
    if (index.partial && !implies(conjuncts, index.partial.ast)) continue;
    const plan = wildcardCandidate(index, predicatesOf(conjuncts), request);
    if (plan) return plan;
  }
  return undefined;
};

const wildcardCandidate = (
  index: Index,
  predicates: readonly Predicate[],
  request: PlanRequest,
): Plan | undefined =>
  planOfWildcard(index, predicates, {
    sameCollation: sameCollation(index.collation, request.collation),
    withTexts: request.withTexts ?? false,
  });

const allPredicates = (conjuncts: readonly FilterNode[], request: PlanRequest): Predicate[] => [
  ...predicatesOf(conjuncts),
  ...expressionPredicates(conjuncts, request.let),
];

const bestCandidate = (
  indexes: readonly Index[],
  conjuncts: readonly FilterNode[],
  request: PlanRequest,
): Candidate | undefined => {
  let best: Candidate | undefined;
  const predicates = allPredicates(conjuncts, request);
  for (const index of indexes) {
    if (!isRelevant(index, predicates, request.sort)) continue;
    if (index.partial && !implies(conjuncts, index.partial.ast)) continue;
    if (index.sparse && !coversAll(index, conjuncts)) continue;
    const made = candidate(index, conjuncts, predicates, request);
    if (made.equalities + made.ranges === 0 && !made.sorted) continue;
    if (!best || rank(made, best) > 0) best = made;
  }
  return best;
};

/** An index can help only if its first field is bounded or comes first in the sort. */
const isRelevant = (
  index: Index,
  predicates: readonly Predicate[],
  sort: readonly SortField[] | undefined,
): boolean => {
  const [first] = index.fields;
  return sort?.[0]?.path === first || predicates.some((predicate) => predicate.path === first);
};

const rank = (a: Candidate, b: Candidate): number =>
  Number(a.onePoint) - Number(b.onePoint) ||
  Number(a.uniqueKeys) - Number(b.uniqueKeys) ||
  a.equalities - b.equalities ||
  b.flags - a.flags ||
  a.ranges - b.ranges ||
  Number(a.sorted) - Number(b.sorted) ||
  b.index.fields.length - a.index.fields.length;

/**
 * A sparse index contains every match only if a condition on one of its fields excludes documents without the
 * field.
 */
const coversAll = (index: Index, conjuncts: readonly FilterNode[]): boolean =>
  conjuncts.some(
    (node) => node.kind === 'field' && index.fields.includes(node.path) && excludesMissing(node),
  );

const sameCollation = (a: Collation | undefined, b: Collation | undefined): boolean => {
  if (!a || !b) return a === b;
  return a === b || formatDoc(a.spec) === formatDoc(b.spec);
};

/** Plans an `$or` whose branches all have an index, as the union of their records. */
const unionPlan = (
  usable: readonly Index[],
  conjuncts: readonly FilterNode[],
  request: PlanRequest,
): Plan | undefined => {
  for (const node of conjuncts) {
    if (node.kind !== 'or') continue;
    const rest = conjuncts.filter((other) => other !== node);
    const inputs: Plan[] = [];
    for (const branch of node.children) {
      const parts = [...conjunctsOf(branch), ...rest];
      if (parts.some((part) => part.kind === 'false')) continue;
      const best = bestCandidate(usable, parts, { ...request, sort: undefined });
      if (!best || best.equalities + best.ranges === 0) break;
      inputs.push(withoutExactness(best.plan));
    }
    const wanted = node.children.filter((branch) => branch.kind !== 'false').length;
    if (inputs.length === wanted && wanted > 0) return { kind: 'or', inputs };
  }
  return undefined;
};

/** The union is checked against the whole filter once, instead of per branch. */
const withoutExactness = (plan: Plan): Plan =>
  plan.kind === 'none' || plan.kind === 'or' ? plan : { ...plan, exact: false };

const hintedIndex = (collection: Collection, hint: string | Doc): Index => {
  const ready = collection.indexes.filter((index) => index.readyAt !== undefined && !index.spec.hidden);
  const found =
    typeof hint === 'string'
      ? ready.find((index) => index.spec.name === hint)
      : ready.find((index) => sameKeyPattern(index.spec.key, hint));
  if (!found) {
    throw new ServerError(
      'BadValue',
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    );
  }
  return found;
};

export const sameKeyPattern = (a: Doc, b: Doc): boolean => {
  const fields = Object.keys(a);
  const others = Object.keys(b);
  return (
    fields.length === others.length &&
    fields.every((field, i) => field === others[i] && sameDirection(a[field], b[field]))
  );
};

const sameDirection = (a: Value, b: Value): boolean =>
  typeof a === 'string' || typeof b === 'string' ? a === b : toNumber(a) === toNumber(b);

/** Plans `min` (inclusive) and `max` (exclusive) of a hinted index. */
const boundedByKeys = (index: Index | undefined, request: PlanRequest): Plan => {
  if (!index) {
    throw new ServerError(51173, 'When using min()/max() a hint of which index to use must be provided');
  }
  const keyOf = (bound: Doc): Uint8Array => {
    if (!index.ordered || Object.keys(bound).join('\0') !== index.fields.join('\0')) {
      throw new ServerError(
        51174,
        `The keys of min and max must be those of the hinted index, in its order: ${index.fields.join(', ')}`,
      );
    }
    const values: Value[] = index.fields.map((field) => bound[field]);
    return encodeKey(values, index.directions, index.collation);
  };
  const low = request.min ? concatKey(index.prefix, lowerBoundKey(keyOf(request.min))) : index.prefix;
  const high = request.max
    ? concatKey(index.prefix, upperBoundKey(keyOf(request.max)))
    : prefixEnd(index.prefix);
  if (request.min && request.max && compareBytes(low, high) >= 0) {
    throw new ServerError(
      51175,
      'The value provided for min() does not come before the value provided for max()',
    );
  }
  return {
    kind: 'index',
    index,
    reverse: false,
    groups: [{ intervals: [{ low, high }], mergeAfter: 0 }],
    exact: false,
    sorted: false,
    bounds: {},
  };
};

/** Returns the direction of a `{ $natural: … }` sort or hint, which selects storage order. */
export const naturalOrder = (spec: string | Doc | undefined): 1 | -1 | undefined => {
  if (!spec || typeof spec === 'string') return spec === '$natural' ? 1 : undefined;
  if (!('$natural' in spec)) return undefined;
  return toNumber(spec.$natural) < 0 ? -1 : 1;
};

export const needsBlockingSort = (plan: Plan, sort: readonly SortField[] | undefined): boolean =>
  sort !== undefined && sort.length > 0 && !isSorted(plan);
