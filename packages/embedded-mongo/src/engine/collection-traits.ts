import { int, isDoc, isNumeric, long, toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import type { ViewDefinition } from './types.js';

/** The effect of a collection's options on reads and writes. */
export interface CollectionTraits {
  readonly type: 'collection' | 'view';
  readonly view?: ViewDefinition;
  /**
   * An insert removes the oldest documents beyond these limits. `size` is in bytes of BSON, `max` in
   * documents.
   */
  readonly capped?: { readonly size: number; readonly max: number };
  /** Documents expire this long after the date in their `_id`, without a TTL index. */
  readonly expireAfterSeconds?: number;
  /** The `clusteredIndex` option. */
  readonly clustered?: Doc;
  /** Whether change streams can return pre- and post-images of the collection's documents. */
  readonly images?: true;
}

/**
 * Shared by all collections without special options, so that a write can skip all checks with a single
 * comparison.
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

/** Converts a whole number to the smallest BSON integer type that holds it. */
export const wholeNumber = (value: number): Value => (value <= 0x7fffffff ? int(value) : long(value));

const limitsOf = ({ size, max }: Doc): { size: number; max: number } => ({
  size: isNumeric(size) ? toNumber(size) : Infinity,
  max: isNumeric(max) && toNumber(max) > 0 ? toNumber(max) : Infinity,
});
