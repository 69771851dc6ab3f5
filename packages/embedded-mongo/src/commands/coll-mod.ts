import type { CollectionChange, CollectionInfo } from '../engine/types.js';
import { isDoc, toNumber, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { pipelineOf } from './aggregate.js';
import { Args, namespaceOf, nsText } from './arguments.js';
import {
  bucketing,
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

/** What of time series and of their expiry is to change. */
function expiryChange(args: Args, info: CollectionInfo | undefined): Doc | undefined {
  const options: Doc = {};
  const expiry = expirySeconds(args);
  if (expiry !== undefined) {
    const expires = info?.type === 'timeseries' || isDoc(info?.options['clusteredIndex']);
    if (info && !expires) {
      throw invalid(
        "'expireAfterSeconds' option is only supported on collections clustered by _id or time-series collections",
      );
    }
    options['expireAfterSeconds'] = expiry === 'off' ? undefined : expiry;
  }
  const timeseries = args.document('timeseries');
  if (timeseries) {
    if (info && info.type !== 'timeseries')
      throw invalid('option only supported on a time-series collection: timeseries');
    const before = info?.options['timeseries'];
    if (isDoc(before)) options['timeseries'] = widened(before, timeseries);
  }
  return Object.keys(options).length > 0 ? options : undefined;
}

/** Buckets may become longer, never shorter. */
function widened(before: Doc, change: Doc): Doc {
  const { timeField, metaField } = before;
  const after = bucketing(new Args('collMod.timeseries', change));
  if (toNumber(after['bucketMaxSpanSeconds']) < toNumber(before['bucketMaxSpanSeconds'])) {
    throw invalid(
      'Invalid transition for timeseries.granularity. Can only transition from a lower to a higher granularity.',
    );
  }
  return { timeField, ...(metaField !== undefined && { metaField }), ...after };
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
