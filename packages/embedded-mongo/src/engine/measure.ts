import type { Collection } from './catalog.js';
import type { Index } from './index-definition.js';
import { prefixEnd, successor } from './key-layout.js';
import { yieldToEventLoop, checkInterrupt, Slice } from './record-source.js';
import type { CollectionStats, OpContext } from './types.js';
import type { View } from './view.js';

/** Number of keys of an index that are measured. The others are assumed to have the same mean length. */
const SAMPLED_KEYS = 500;
/** Bytes that LMDB stores in addition to each key and its value. */
const ENTRY_OVERHEAD_BYTES = 10;

/**
 * Whether every document has exactly one entry in the index, so that the collection's counter applies to the
 * index.
 */
const hasEntryPerDocument = (index: Index): boolean =>
  !index.multikey && !index.sparse && index.spec.partialFilterExpression === undefined;

/**
 * Sizes of a collection and its indexes, in bytes. Entries of sparse, partial and multikey indexes are
 * counted in slices; for others the count is known. Throws when the operation is killed or times out.
 */
export const measureCollection = async (
  collection: Collection,
  view: () => View,
  now: () => number,
  ctx: OpContext,
): Promise<CollectionStats> => {
  const indexSizes: Record<string, number> = {};
  for (const index of collection.indexes) {
    if (index.readyAt === undefined) continue;
    const entries = hasEntryPerDocument(index)
      ? collection.documents
      : await countEntries(index, view, now, ctx);
    indexSizes[index.spec.name] = Math.round(entries * (meanKeyBytes(index, view()) + ENTRY_OVERHEAD_BYTES));
  }
  const { documents, bytes } = collection;
  return { count: documents, size: bytes, storageSize: bytes, indexSizes };
};

const meanKeyBytes = (index: Index, view: View): number => {
  let keys = 0;
  let bytes = 0;
  for (const key of view.keys({ low: index.prefix, high: prefixEnd(index.prefix) })) {
    bytes += key.length + (index.unique ? 8 : 0);
    if (++keys === SAMPLED_KEYS) break;
  }
  return keys === 0 ? 0 : bytes / keys;
};

const countEntries = async (
  index: Index,
  view: () => View,
  now: () => number,
  ctx: OpContext,
): Promise<number> => {
  let count = 0;
  let low = index.prefix;
  const high = prefixEnd(index.prefix);
  for (;;) {
    checkInterrupt(ctx, now);
    const slice = new Slice();
    let paused = false;
    for (const key of view().keys({ low, high })) {
      count++;
      if (!slice.spend()) continue;
      low = successor(key);
      paused = true;
      break;
    }
    if (!paused) return count;
    await yieldToEventLoop();
  }
};
