import type { Doc } from '../values/bson.js';
import type { Index } from './index-definition.js';
import type { PlanSummary } from './types.js';

/**
 * Encoded keys in [low, high), including the index prefix. The first `prefixLength` bytes are the same for
 * all keys.
 */
export interface KeyInterval {
  low: Uint8Array;
  high: Uint8Array;
}

/**
 * How the records of a query are found. With `exact`, records from the scan need no check against the filter.
 */
export type Plan =
  | { kind: 'none' }
  | { kind: 'collection'; reverse: boolean; exact: boolean; summary?: PlanSummary }
  | { kind: 'point'; index: Index; key: Uint8Array; exact: boolean; sorted: boolean; bounds: Doc }
  | {
      kind: 'index';
      index: Index;
      reverse: boolean;
      /**
       * Intervals in ascending order. Several groups are merged by the bytes after their first `mergeAfter`.
       * A single group is read from start to end.
       */
      groups: { intervals: KeyInterval[]; mergeAfter: number }[];
      exact: boolean;
      sorted: boolean;
      bounds: Doc;
    }
  | { kind: 'or'; inputs: Plan[] };

export const isSorted = (plan: Plan): boolean =>
  plan.kind === 'none' || ((plan.kind === 'index' || plan.kind === 'point') && plan.sorted);

export const isExact = (plan: Plan): boolean => plan.kind === 'none' || (plan.kind !== 'or' && plan.exact);

export const summaryOf = (plan: Plan, blockingSort: boolean): PlanSummary => {
  const filtered = !isExact(plan);
  switch (plan.kind) {
    case 'none':
      return { stage: 'EOF', filtered: false, blockingSort: false };
    case 'collection':
      return { stage: 'COLLSCAN', filtered, direction: plan.reverse ? 'backward' : 'forward', blockingSort };
    case 'or':
      return {
        stage: 'OR',
        filtered,
        blockingSort,
        inputs: plan.inputs.map((input) => summaryOf(input, false)),
      };
    case 'point':
      if (plan.index.isId)
        return {
          stage: 'IDHACK',
          filtered,
          indexName: '_id_',
          blockingSort,
          keyPattern: plan.index.spec.key,
        };
      return { ...indexSummary(plan.index, false, plan.bounds), filtered, blockingSort };
    case 'index':
      return { ...indexSummary(plan.index, plan.reverse, plan.bounds), filtered, blockingSort };
  }
};

/** The path and field that the plan bounds, in MongoDB's format for wildcard indexes. */
const wildcardPattern = (bounds: Doc): Doc =>
  Object.fromEntries(Object.keys(bounds).map((field) => [field, 1]));

const indexSummary = (index: Index, reverse: boolean, bounds: Doc) => ({
  stage: 'IXSCAN' as const,
  indexName: index.spec.name,
  keyPattern: index.wildcard ? wildcardPattern(bounds) : index.spec.key,
  indexFlags: {
    isMultiKey: index.multikey,
    isUnique: index.unique,
    isSparse: index.sparse,
    isPartial: index.partial !== undefined,
  },
  direction: reverse ? ('backward' as const) : ('forward' as const),
  indexBounds: bounds,
});
