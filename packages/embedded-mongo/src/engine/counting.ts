import type { Collection } from './catalog.js';
import { countersKey, readU64 } from './key-layout.js';
import { PreparedQuery } from './prepared-query.js';
import { yieldToEventLoop, checkInterrupt, RecordSource, Slice } from './record-source.js';
import { scanOf } from './scan.js';
import type { CursorSource } from './cursor.js';
import type { EngineTransaction } from './transaction.js';
import type { FindSpec, OpContext } from './types.js';

/**
 * Number of matches after skip and limit. The count reflects a single point in time only without a filter or
 * in a transaction; otherwise concurrent writes can affect it.
 */
export const countMatches = async (
  collection: Collection,
  spec: FindSpec,
  ctx: OpContext,
  reader: CursorSource,
  txn: EngineTransaction | undefined,
): Promise<number> => {
  const limited = (count: number): number => {
    const rest = Math.max(0, count - (spec.skip ?? 0));
    return spec.limit && spec.limit > 0 ? Math.min(rest, spec.limit) : rest;
  };
  if (Object.keys(spec.filter).length === 0 && spec.hint === undefined && !spec.min && !spec.max) {
    return limited(countAll(collection, txn));
  }
  const query = new PreparedQuery(collection, { ...spec, sort: undefined }, reader.snapshotSeq);
  const enough = spec.limit && spec.limit > 0 ? (spec.skip ?? 0) + spec.limit : Infinity;
  let count = 0;
  const { plan } = query;
  const fromKeys = !query.check && (plan.kind === 'index' || plan.kind === 'point');
  const keys =
    fromKeys && !(plan.kind === 'index' && plan.index.multikey) ? scanOf(plan, collection.id) : undefined;
  const source = new RecordSource(collection, query, false, ctx);
  for (;;) {
    checkInterrupt(ctx, reader.now);
    const slice = new Slice();
    const visit = () => ++count < enough;
    const finished = keys
      ? keys.run(reader.view(), () => visit() && !slice.spend())
      : source.run(reader.view(), slice, visit) === 'done';
    if (finished || count >= enough) return limited(count);
    await yieldToEventLoop();
  }
};

/**
 * Counts all documents: the committed counter or, in a transaction, the snapshot's counter plus the
 * transaction's own changes.
 */
const countAll = (collection: Collection, txn: EngineTransaction | undefined): number => {
  if (!txn) return collection.documents;
  const own = txn.counters.get(collection)?.documents ?? 0;
  const row = txn.overlay.get(countersKey(collection.id));
  return (row ? readU64(row, 0) : 0) + own;
};
