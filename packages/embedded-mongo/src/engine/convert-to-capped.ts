import { ServerError } from '../values/errors.js';
import { nameOf } from './catalog.js';
import { wholeNumber } from './collection-traits.js';
import { trimCapped } from './document-change.js';
import { dropSome } from './index-changes.js';
import type { Namespace, OpContext } from './types.js';
import { isView, runSteps } from './write-runner.js';
import type { EngineCore } from './write-runner.js';

/**
 * Makes a collection capped and drops all indexes but `_id_` in one commit, then removes the oldest documents
 * over several commits. If the process crashes in between, later inserts remove the rest.
 */
export const convertToCapped = async (
  core: EngineCore,
  ns: Namespace,
  size: number,
  ctx: OpContext,
): Promise<void> => {
  const collection = await core.queue.run((batch) => {
    const found = core.catalog.get(ns);
    if (!found) throw new ServerError('NamespaceNotFound', `source collection ${nameOf(ns)} does not exist`);
    if (found.traits.view) throw isView(found.name);
    core.transactions.requireUntouched(found);
    dropSome(
      batch,
      found,
      found.listedIndexes.filter((index) => !index.isId),
    );
    const { options, definedAt } = found;
    found.options = { ...options, capped: true, size: wholeNumber(size) };
    found.definedAt = batch.seq;
    batch.savedRows.add(found);
    batch.undo.push(() => Object.assign(found, { options, definedAt }));
    return found;
  });
  await runSteps(core, ctx, (writer) =>
    collection.dropped || trimCapped(writer, collection) ? 'done' : 'more',
  );
};
