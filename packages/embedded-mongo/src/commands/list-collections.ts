import { createHash } from 'node:crypto';
import { Binary } from 'bson';
import type { CollectionInfo } from '../engine/types.js';
import { compileFilter } from '../query/matcher.js';
import { encode, int, isDoc, type Doc } from '../values/bson.js';
import { Args, checkDatabaseName } from './arguments.js';
import { arraySource } from './array-source.js';
import type { Command } from './command.js';
import { firstBatch } from './cursor-commands.js';
import { indexDoc } from './indexes.js';

function collectionDoc(info: CollectionInfo, nameOnly: boolean): Doc {
  const { type, options, indexes } = info;
  const base: Doc = { name: info.ns.coll, type };
  if (nameOnly) return base;
  if (type === 'view') return { ...base, options, info: { readOnly: true } };
  const idIndex = indexes.find(({ name }) => name === '_id_');
  return {
    ...base,
    options,
    info: { readOnly: false, uuid: new Binary(info.uuid, 4) },
    // The `_id` index of a clustered collection is not listed.
    ...(idIndex && !idIndex.clustered && { idIndex: indexDoc(idIndex) }),
  };
}

/**
 * The collection in which MongoDB stores a database's views. Here its contents are generated when it is read.
 */
function viewsDoc(db: string, nameOnly: boolean): Doc {
  const base: Doc = { name: 'system.views', type: 'collection' };
  if (nameOnly) return base;
  const uuid = createHash('sha256').update(`${db}.system.views`).digest().subarray(0, 16);
  return {
    ...base,
    options: {},
    info: { readOnly: false, uuid: new Binary(uuid, 4) },
    idIndex: { v: int(2), key: { _id: int(1) }, name: '_id_' },
  };
}

export const listCollections: Command = {
  name: 'listCollections',
  fields: ['listCollections', 'filter', 'nameOnly', 'cursor', 'authorizedCollections'],
  counter: 'command',
  run(ctx) {
    checkDatabaseName(ctx.db);
    const args = new Args('listCollections', ctx.body);
    const matcher = compileFilter(args.document('filter') ?? {});
    const nameOnly = args.boolean('nameOnly') ?? false;
    args.boolean('authorizedCollections');
    const infos = ctx.engine.collections(ctx.db, ctx.op);
    const all = infos.map((info) => collectionDoc(info, nameOnly));
    if (infos.some(({ type }) => type === 'view')) all.push(viewsDoc(ctx.db, nameOnly));
    const docs = all.filter((doc) => matcher.matches(doc)).map(encode);
    const { cursor } = ctx.body;
    const batchSize = isDoc(cursor)
      ? new Args('listCollections.cursor', cursor).integer('batchSize')
      : undefined;
    return firstBatch(ctx, { db: ctx.db, coll: '$cmd.listCollections' }, arraySource(docs), {
      batchSize: batchSize ?? Number.MAX_SAFE_INTEGER,
    });
  },
};
