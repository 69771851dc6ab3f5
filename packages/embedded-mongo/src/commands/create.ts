import { planPipeline } from '../aggregate/pipeline.js';
import { checkViewDefinition } from '../aggregate/views.js';
import type { Namespace } from '../engine/types.js';
import type { Doc } from '../values/bson.js';
import { ServerError, unsupported } from '../values/errors.js';
import { pipelineContext, pipelineOf } from './aggregate.js';
import { Args, namespaceOf } from './arguments.js';
import {
  cappedOptions,
  checkIdIndex,
  clusteredOption,
  enumeration,
  expirySeconds,
  preAndPostImages,
  validationActions,
  validationLevels,
} from './collection-options.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';

const fields: readonly string[] = [
  'create',
  'autoIndexId',
  'idIndex',
  'capped',
  'size',
  'max',
  'storageEngine',
  'validator',
  'validationLevel',
  'validationAction',
  'indexOptionDefaults',
  'viewOn',
  'pipeline',
  'collation',
  'changeStreamPreAndPostImages',
  'timeseries',
  'clusteredIndex',
  'expireAfterSeconds',
  'encryptedFields',
];

const autoIndexIdNote = 'The autoIndexId option is deprecated and will be removed in a future release';

const invalid = (message: string): ServerError => new ServerError('InvalidOptions', message);

/** Options that are not allowed for views. */
const notOfViews = [
  'capped',
  'size',
  'max',
  'validator',
  'validationLevel',
  'validationAction',
  'timeseries',
  'changeStreamPreAndPostImages',
];

/** Validates the definition of a view from create or collMod. `collation` is that of the view. */
export function checkedView(
  ctx: CommandContext,
  ns: Namespace,
  viewOn: string,
  pipeline: Doc[],
  collation: Doc | undefined,
): void {
  if (viewOn === '') throw new ServerError('BadValue', "'viewOn' cannot be empty");
  checkViewDefinition(ctx.engine, ns, { viewOn, pipeline, collation });
  // Planning detects unknown stages and invalid specifications.
  const args = new Args('aggregate', {});
  planPipeline({ ...pipelineContext(ctx, args, { db: ns.db, coll: viewOn }), inner: true }, pipeline, false);
}

function viewOptions(ctx: CommandContext, ns: Namespace, args: Args): Doc | undefined {
  const viewOn = args.string('viewOn');
  const pipeline = args.array('pipeline');
  if (viewOn === undefined) {
    if (pipeline) throw invalid("'pipeline' requires 'viewOn' to also be specified");
    return undefined;
  }
  for (const option of notOfViews) {
    if (args.has(option) && args.body[option] !== false)
      throw invalid(`Cannot specify both 'viewOn' and '${option}'`);
  }
  const stages = pipeline ? pipelineOf(args) : [];
  const collation = args.document('collation');
  checkedView(ctx, ns, viewOn, stages, collation);
  return { viewOn, pipeline: stages, ...(collation && { collation }) };
}

function collectionOptions(args: Args): Doc {
  const options: Doc = cappedOptions(args);
  if (args.has('timeseries')) throw unsupported('a time series collection');
  const clusteredIndex = clusteredOption(args);
  const expireAfterSeconds = expirySeconds(args);
  if (expireAfterSeconds !== undefined && !clusteredIndex) {
    throw invalid("'expireAfterSeconds' is only supported when the 'clusteredIndex' option is specified");
  }
  const validator = args.document('validator');
  const images = preAndPostImages(args);
  const level = enumeration(args, 'validationLevel', validationLevels);
  const action = enumeration(args, 'validationAction', validationActions);
  const given: Doc = {
    storageEngine: args.document('storageEngine'),
    validator: validator && Object.keys(validator).length > 0 ? validator : undefined,
    validationLevel: level,
    validationAction: action,
    indexOptionDefaults: args.document('indexOptionDefaults'),
    collation: args.document('collation'),
    clusteredIndex,
    changeStreamPreAndPostImages: images?.enabled ? images : undefined,
    expireAfterSeconds: expireAfterSeconds === 'off' ? undefined : expireAfterSeconds,
  };
  for (const [option, value] of Object.entries(given)) if (value !== undefined) options[option] = value;
  return options;
}

export const create: Command = {
  name: 'create',
  fields,
  inTransaction: true,
  writes: true,
  counter: 'command',
  async run(ctx) {
    const ns = namespaceOf('create', ctx.db, ctx.body);
    const args = new Args('create', ctx.body);
    checkIdIndex(args);
    const view = viewOptions(ctx, ns, args);
    await ctx.engine.createCollection(ns, view ?? collectionOptions(args), ctx.op);
    return args.has('autoIndexId') ? { note: autoIndexIdNote } : {};
  },
};
