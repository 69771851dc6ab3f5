import { Binary } from 'bson';
import { compileFilter } from '../query/matcher.js';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { nameOf } from './catalog.js';
import type { Collection } from './catalog.js';
import { uuidOf } from './catalog-changes.js';
import { newChange } from './change-log.js';
import type { Change } from './change-log.js';
import { wholeNumber } from './collection-traits.js';
import { modifyIndex } from './index-changes.js';
import type { CollectionChange, Namespace } from './types.js';
import type { EngineCore } from './write-runner.js';

const ofViews = ['pipeline', 'viewOn'] as const;
const validation = ['validator', 'validationLevel', 'validationAction'] as const;
const notOfViews = [
  'index',
  ...validation,
  'cappedSize',
  'cappedMax',
  'changeStreamPreAndPostImages',
] as const;

/**
 * Executes collMod: changes the collection's options or one index in one commit. Returns the old and new
 * values of the index.
 */
export const modifyCollection = async (
  core: EngineCore,
  ns: Namespace,
  change: CollectionChange,
): Promise<Doc> => {
  if (change.validator) compileFilter(change.validator);
  return core.queue.run((batch) => {
    const collection = core.catalog.get(ns);
    if (!collection) throw new ServerError('NamespaceNotFound', `ns does not exist: ${nameOf(ns)}`);
    checkApplies(collection, change);
    const before = collection.options;
    const after = changedOptions(before, change);
    const changed = change.index ? modifyIndex(collection, batch, change.index) : {};
    collection.options = after;
    batch.savedRows.add(collection);
    batch.undo.push(() => (collection.options = before));
    batch.changes.push(modification(collection, change, before, changed));
    return changed;
  });
};

/**
 * Describes the change to change streams. `before`: the previous options. `changed`: the old and new values of
 * the index.
 */
const modification = (
  collection: Collection,
  change: CollectionChange,
  before: Doc,
  changed: Doc,
): Change => {
  const uuid = uuidOf(collection);
  const { options, ...given } = change;
  const operationDescription: Doc = {};
  for (const [name, value] of Object.entries({ ...given, ...options })) {
    if (value !== undefined) operationDescription[name] = value;
  }
  const stateBeforeChange: Doc = {
    collectionOptions: { ...(uuid && { uuid: new Binary(uuid, 4) }), ...before },
  };
  if (change.index) {
    const old = Object.entries(changed).filter(([name]) => name.endsWith('_old'));
    stateBeforeChange.indexOptions = Object.fromEntries(
      old.map(([name, value]) => [name.slice(0, -'_old'.length), value]),
    );
  }
  return newChange('modify', collection.ns, { uuid, catalog: { operationDescription, stateBeforeChange } });
};

const checkApplies = ({ traits }: Collection, change: CollectionChange): void => {
  const refuse = (options: readonly (keyof CollectionChange)[], why: string): void => {
    const given = options.find((option) => change[option] !== undefined);
    if (given) throw new ServerError('InvalidOptions', `${why}: ${given}`);
  };
  if (traits.view) refuse(notOfViews, 'option not supported on a view');
  else refuse(ofViews, 'option only supported on a view');
  if (!traits.capped && (change.cappedSize !== undefined || change.cappedMax !== undefined)) {
    throw new ServerError('InvalidOptions', 'Collection must be capped.');
  }
};

const changedOptions = (before: Doc, change: CollectionChange): Doc => {
  const after: Doc = { ...before, ...change.options };
  const { viewOn, pipeline, cappedSize, cappedMax, validator, changeStreamPreAndPostImages: images } = change;
  if (viewOn !== undefined) after.viewOn = viewOn;
  if (pipeline !== undefined) after.pipeline = pipeline;
  if (cappedSize !== undefined) after.size = wholeNumber(cappedSize);
  if (cappedMax !== undefined) after.max = wholeNumber(cappedMax);
  if (images !== undefined) after.changeStreamPreAndPostImages = images.enabled === true ? images : undefined;
  if (validation.some((option) => change[option] !== undefined)) {
    if (validator !== undefined) after.validator = Object.keys(validator).length > 0 ? validator : undefined;
    after.validationLevel = change.validationLevel ?? before.validationLevel ?? 'strict';
    after.validationAction = change.validationAction ?? before.validationAction ?? 'error';
  }
  for (const option of Object.keys(after)) if (after[option] === undefined) delete after[option];
  return after;
};
