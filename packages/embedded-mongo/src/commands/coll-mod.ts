import type { CollectionChange, CollectionInfo } from '../engine/types.js';
import { isDoc, type Doc } from '../values/bson.js';
import { ServerError, unsupported } from '../values/errors.js';
import { pipelineOf } from './aggregate.js';
import { Args, namespaceOf, nsText } from './arguments.js';
import {
  cappedMax,
  cappedSize,
  enumeration,
  expirySeconds,
  preAndPostImages,
  validationActions,
  validationLevels,
} from './collection-options.js';
import type { Command } from './command.js';
import { checkedView } from './create.js';
import type { CommandContext } from './host.js';

const invalid = (message: string): ServerError => new ServerError('InvalidOptions', message);

/** The requested change to the expiry of a clustered collection, if any. */
function expiryChange(args: Args, info: CollectionInfo | undefined): Doc | undefined {
  const options: Doc = {};
  const expiry = expirySeconds(args);
  if (expiry !== undefined) {
    if (info && !isDoc(info.options['clusteredIndex'])) {
      throw invalid("'expireAfterSeconds' option is only supported on collections clustered by _id");
    }
    options['expireAfterSeconds'] = expiry === 'off' ? undefined : expiry;
  }
  return Object.keys(options).length > 0 ? options : undefined;
}

function changeOf(ctx: CommandContext, args: Args, info: CollectionInfo | undefined): CollectionChange {
  const wanted: CollectionChange = {
    index: args.document('index'),
    validator: args.document('validator'),
    validationLevel: enumeration(args, 'validationLevel', validationLevels),
    validationAction: enumeration(args, 'validationAction', validationActions),
    cappedSize: cappedSize(args, 'cappedSize'),
    cappedMax: cappedMax(args, 'cappedMax'),
    viewOn: args.string('viewOn'),
    pipeline: args.array('pipeline') && pipelineOf(args),
    changeStreamPreAndPostImages: preAndPostImages(args),
    options: expiryChange(args, info),
  };
  const view = info && ctx.engine.view(info.ns);
  if (view && (wanted.viewOn !== undefined || wanted.pipeline)) {
    const { viewOn = view.viewOn, pipeline = view.pipeline } = wanted;
    checkedView(ctx, info.ns, viewOn, pipeline, view.collation);
  }
  return wanted;
}

export const collMod: Command = {
  name: 'collMod',
  fields: [
    'collMod',
    'index',
    'validator',
    'validationLevel',
    'validationAction',
    'viewOn',
    'pipeline',
    'expireAfterSeconds',
    'timeseries',
    'cappedSize',
    'cappedMax',
    'changeStreamPreAndPostImages',
    'dryRun',
  ],
  writes: true,
  counter: 'command',
  run(ctx) {
    const ns = namespaceOf('collMod', ctx.db, ctx.body);
    const args = new Args('collMod', ctx.body);
    if (args.has('timeseries')) throw unsupported('a time series collection');
    return ctx.engine.modifyCollection(ns, changeOf(ctx, args, ctx.engine.collection(ns)), ctx.op);
  },
};

export const convertToCapped: Command = {
  name: 'convertToCapped',
  fields: ['convertToCapped', 'size'],
  writes: true,
  counter: 'command',
  async run(ctx) {
    const ns = namespaceOf('convertToCapped', ctx.db, ctx.body);
    const size = cappedSize(new Args('convertToCapped', ctx.body), 'size');
    if (size === undefined) throw invalid(`Capped collection size must be greater than zero: ${nsText(ns)}`);
    await ctx.engine.convertToCapped(ns, size, ctx.op);
    return {};
  },
};
