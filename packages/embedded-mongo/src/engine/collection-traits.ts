import { int, isDoc, isNumeric, long, toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import type { ViewDefinition } from './types.js';

/** What a collection's options mean to reads and writes. */
export interface CollectionTraits {
  readonly type: 'collection' | 'view';
  readonly view?: ViewDefinition;
  /** Limits beyond which an insert removes the oldest documents; bytes of BSON, and documents. */
  readonly capped?: { readonly size: number; readonly max: number };
  /** Documents expire so many seconds after the date in their `_id`, without a TTL index. */
  readonly expireAfterSeconds?: number;
  /** The `clusteredIndex` option. */
  readonly clustered?: Doc;
  /** Change streams may show its documents as they were before and after a change. */
  readonly images?: true;
}

/**
 * Shared by all collections without special options, so that a write needs one comparison to see that no rule
 * applies.
 */
export const plainTraits: CollectionTraits = Object.freeze({ type: 'collection' });

const special = ['viewOn', 'capped', 'clusteredIndex', 'changeStreamPreAndPostImages'];

export const traitsOf = (options: Doc): CollectionTraits => {
  if (!special.some((option) => options[option])) return plainTraits;
  const { viewOn, pipeline, clusteredIndex, expireAfterSeconds } = options;
  const images = options.changeStreamPreAndPostImages;
  if (typeof viewOn === 'string') {
    return {
      type: 'view',
      view: {
        viewOn,
        pipeline: Array.isArray(pipeline) ? pipeline.filter(isDoc) : [],
        collation: isDoc(options.collation) ? options.collation : undefined,
      },
    };
  }
  const seconds = isNumeric(expireAfterSeconds) ? toNumber(expireAfterSeconds) : undefined;
  return {
    type: 'collection',
    ...(options.capped === true && { capped: limitsOf(options) }),
    ...(isDoc(clusteredIndex) && { clustered: clusteredIndex }),
    ...(isDoc(images) && images.enabled === true && { images: true as const }),
    ...(isDoc(clusteredIndex) && seconds !== undefined && { expireAfterSeconds: seconds }),
  };
};

/** A whole number as the smallest BSON integer that holds it. */
export const wholeNumber = (value: number): Value => (value <= 0x7fffffff ? int(value) : long(value));

const limitsOf = ({ size, max }: Doc): { size: number; max: number } => ({
  size: isNumeric(size) ? toNumber(size) : Infinity,
  max: isNumeric(max) && toNumber(max) > 0 ? toNumber(max) : Infinity,
});
