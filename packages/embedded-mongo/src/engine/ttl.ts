import type { Doc } from '../values/bson.js';
import type { Collection } from './catalog.js';
import type { Index } from './index-definition.js';
import { deleteDocuments } from './statements.js';
import type { EngineCore } from './write-runner.js';

/**
 * Removes expired documents of collections with a TTL index or `expireAfterSeconds`. Deletes in chunks, like
 * any multi-document delete.
 */
export const sweepExpired = async (core: EngineCore): Promise<number> => {
  let removed = 0;
  for (const collection of [...core.catalog.all()]) {
    const { expireAfterSeconds } = collection.traits;
    if (expireAfterSeconds !== undefined) {
      const due: Doc = { _id: { $lte: new Date(core.now() - expireAfterSeconds * 1_000) } };
      const { n } = await deleteDocuments(core, collection.ns, [{ filter: due, limit: 0 }], true, {});
      removed += n;
    }
    for (const index of [...collection.indexes]) {
      if (index.spec.expireAfterSeconds === undefined || index.readyAt === undefined) continue;
      removed += await expire(core, collection, index, index.spec.expireAfterSeconds);
    }
  }
  return removed;
};

const expire = async (
  core: EngineCore,
  collection: Collection,
  index: Index,
  seconds: number,
): Promise<number> => {
  if (collection.dropped) return 0;
  const [field] = index.fields;
  const due: Doc = { [field!]: { $lte: new Date(core.now() - seconds * 1_000) } };
  const { partialFilterExpression, name, hidden } = index.spec;
  const filter = partialFilterExpression ? { $and: [due, partialFilterExpression] } : due;
  const statement = hidden ? { filter, limit: 0 as const } : { filter, limit: 0 as const, hint: name };
  const { n } = await deleteDocuments(core, collection.ns, [statement], true, {});
  return n;
};
