import { isDoc, newDoc } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { encodeKey } from '../values/key.js';
import { BoundsMaker, intersectBounds } from './bounds.js';
import type { FieldBounds } from './bounds.js';
import type { Index } from './index-definition.js';
import { concatKey, lowerBoundKey, upperBoundKey } from './key-layout.js';
import type { KeyInterval, Plan } from './plan.js';
import { excludesMissing } from './predicates.js';
import type { Predicate } from './predicates.js';

const oneGroup = (index: Index, intervals: KeyInterval[], bounds: ReturnType<typeof newDoc>): Plan =>
  intervals.length === 0
    ? { kind: 'none' }
    : {
        kind: 'index',
        index,
        reverse: false,
        groups: [{ intervals, mergeAfter: 0 }],
        exact: false,
        sorted: false,
        bounds,
      };

const isLeaf = (value: Value): boolean => !Array.isArray(value) && !isDoc(value);

/**
 * Only scalar values can be looked up: missing values, embedded documents and arrays are not indexed as such.
 */
const servesNode = (node: Predicate['nodes'][number]): boolean => {
  if (!excludesMissing(node)) return false;
  if (node.op === 'in') return node.values.every(isLeaf);
  return 'value' in node ? isLeaf(node.value) : node.op === 'regex';
};

/** Plans one condition with a wildcard index. Returns undefined if the index cannot be used. */
export const planOfWildcard = (
  index: Index,
  predicates: readonly Predicate[],
  options: { sameCollation: boolean; withTexts: boolean },
): Plan | undefined => {
  for (const { path, nodes } of predicates) {
    if (!index.wildcard?.includes(path) || !nodes.every(servesNode)) continue;
    const maker = new BoundsMaker(1, index.collation, options.sameCollation, options.withTexts);
    const all: FieldBounds[] = [];
    for (const node of nodes) {
      const made = maker.of(node);
      if (made) all.push(made);
    }
    if (all.length === 0) continue;
    const { intervals } = intersectBounds(all);
    const head = encodeKey([path], [1], index.collation);
    const bounds = newDoc();
    bounds.$_path = [`["${path}", "${path}"]`];
    bounds[path] = intervals.map((interval) => `${interval.lowText}, ${interval.highText}`);
    return oneGroup(
      index,
      intervals.map(({ low, high }) => ({
        low: concatKey(index.prefix, lowerBoundKey(concatKey(head, low))),
        high: concatKey(index.prefix, upperBoundKey(concatKey(head, high))),
      })),
      bounds,
    );
  }
  return undefined;
};
