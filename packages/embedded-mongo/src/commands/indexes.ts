import type { IndexSpec } from '../engine/types.js';
import { encode, isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, namespaceOf, nsText } from './arguments.js';
import { arraySource } from './array-source.js';
import type { Command } from './command.js';
import { firstBatch } from './cursor-commands.js';
import { refuseView } from './view-reads.js';

/** Describes an index as listIndexes shows it. */
export function indexDoc(index: IndexSpec): Doc {
  const { v, key, name, ...options } = index;
  const doc: Doc = { v, key, name };
  for (const [option, value] of Object.entries(options)) if (value !== undefined) doc[option] = value;
  return doc;
}

const createIndexes: Command = {
  name: 'createIndexes',
  fields: ['createIndexes', 'indexes', 'commitQuorum', 'ignoreUnknownIndexOptions'],
  inTransaction: true,
  writes: true,
  counter: 'command',
  async run(ctx) {
    const ns = namespaceOf('createIndexes', ctx.db, ctx.body);
    const args = new Args('createIndexes', ctx.body);
    const specs = args.required('indexes', args.documents('indexes'));
    if (specs.length === 0) throw new ServerError('BadValue', 'Must specify at least one index to create');
    const result = await ctx.engine.createIndexes(ns, specs, ctx.op);
    return {
      numIndexesBefore: result.before,
      numIndexesAfter: result.after,
      createdCollectionAutomatically: result.createdCollection,
      ...(result.before === result.after && { note: 'all indexes already exist' }),
    };
  },
};

const listIndexes: Command = {
  name: 'listIndexes',
  fields: ['listIndexes', 'cursor', 'includeBuildUUIDs', 'includeIndexBuildInfo'],
  counter: 'command',
  run(ctx) {
    const ns = namespaceOf('listIndexes', ctx.db, ctx.body);
    const info = ctx.engine.collection(ns, ctx.op);
    if (!info) throw new ServerError('NamespaceNotFound', `ns does not exist: ${nsText(ns)}`);
    refuseView(info);
    const docs = info.indexes.map((index) => encode(indexDoc(index)));
    const { cursor } = ctx.body;
    const batchSize = isDoc(cursor) ? new Args('listIndexes.cursor', cursor).integer('batchSize') : undefined;
    return firstBatch(ctx, ns, arraySource(docs), { batchSize: batchSize ?? Number.MAX_SAFE_INTEGER });
  },
};

function indexesToDrop(args: Args): string | Doc | string[] {
  const value = args.body['index'];
  if (typeof value === 'string' || isDoc(value)) return value;
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw new ServerError(
    'TypeMismatch',
    "BSON field 'dropIndexes.index' must be a name, a key pattern or a list of names",
  );
}

const dropIndexes: Command = {
  name: 'dropIndexes',
  aliases: ['deleteIndexes'],
  fields: ['dropIndexes', 'deleteIndexes', 'index'],
  writes: true,
  counter: 'command',
  async run(ctx) {
    const ns = namespaceOf(ctx.name, ctx.db, ctx.body);
    const { nIndexesWas } = await ctx.engine.dropIndexes(
      ns,
      indexesToDrop(new Args('dropIndexes', ctx.body)),
      ctx.op,
    );
    return { nIndexesWas };
  },
};

export const indexCommands: readonly Command[] = [createIndexes, listIndexes, dropIndexes];
