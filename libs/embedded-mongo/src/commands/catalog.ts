import { Binary } from 'bson';
import type { CollectionInfo } from '../engine/types.js';
import { compileFilter } from '../query/matcher.js';
import { encode, isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, checkDatabaseName, namespaceOf, nsText, parseNamespace } from './arguments.js';
import { arraySource } from './array-source.js';
import type { Command } from './command.js';
import { firstBatch } from './cursor-commands.js';
import { indexDoc } from './indexes.js';

const createOptions = [
  'validator',
  'validationLevel',
  'validationAction',
  'collation',
  'capped',
  'size',
  'max',
  'indexOptionDefaults',
  'storageEngine',
] as const;
const unsupportedCreateOptions = [
  'viewOn',
  'pipeline',
  'timeseries',
  'clusteredIndex',
  'expireAfterSeconds',
] as const;

const create: Command = {
  name: 'create',
  fields: [
    'create',
    'autoIndexId',
    'idIndex',
    'changeStreamPreAndPostImages',
    'encryptedFields',
    ...createOptions,
    ...unsupportedCreateOptions,
  ],
  inTransaction: true,
  writes: true,
  counter: 'command',
  async run(ctx) {
    const ns = namespaceOf('create', ctx.db, ctx.body);
    const args = new Args('create', ctx.body);
    for (const field of unsupportedCreateOptions) {
      if (args.has(field)) {
        throw new ServerError(
          'CommandNotSupported',
          `create with '${field}' is not supported by this server`,
        );
      }
    }
    const options: Doc = {};
    for (const field of createOptions) if (args.has(field)) options[field] = ctx.body[field];
    await ctx.engine.createCollection(ns, options, ctx.op);
    return {};
  },
};

const drop: Command = {
  name: 'drop',
  fields: ['drop'],
  writes: true,
  counter: 'command',
  async run(ctx) {
    const ns = namespaceOf('drop', ctx.db, ctx.body);
    const dropped = await ctx.engine.dropCollection(ns, ctx.op);
    return dropped ? { nIndexesWas: dropped.nIndexesWas, ns: nsText(ns) } : {};
  },
};

const dropDatabase: Command = {
  name: 'dropDatabase',
  fields: ['dropDatabase'],
  writes: true,
  counter: 'command',
  async run(ctx) {
    checkDatabaseName(ctx.db);
    const dropped = await ctx.engine.dropDatabase(ctx.db, ctx.op);
    return dropped ? { dropped: ctx.db } : {};
  },
};

const renameCollection: Command = {
  name: 'renameCollection',
  fields: ['renameCollection', 'to', 'dropTarget', 'stayTemp'],
  adminOnly: true,
  writes: true,
  counter: 'command',
  async run(ctx) {
    const args = new Args('renameCollection', ctx.body);
    const from = parseNamespace(args.required('renameCollection', args.string('renameCollection')));
    const to = parseNamespace(args.required('to', args.string('to')));
    await ctx.engine.renameCollection(from, to, args.boolean('dropTarget') ?? false, ctx.op);
    return {};
  },
};

const collMod: Command = {
  name: 'collMod',
  fields: [
    'collMod',
    'index',
    'validator',
    'validationLevel',
    'validationAction',
    'changeStreamPreAndPostImages',
  ],
  writes: true,
  counter: 'command',
  run(ctx) {
    const ns = namespaceOf('collMod', ctx.db, ctx.body);
    const args = new Args('collMod', ctx.body);
    const index = args.document('index');
    const validator = args.document('validator');
    const validationLevel = args.string('validationLevel');
    const validationAction = args.string('validationAction');
    return ctx.engine.modifyCollection(
      ns,
      {
        ...(index && { index }),
        ...(validator && { validator }),
        ...(validationLevel !== undefined && { validationLevel }),
        ...(validationAction !== undefined && { validationAction }),
      },
      ctx.op,
    );
  },
};

function collectionDoc(info: CollectionInfo, nameOnly: boolean): Doc {
  const base: Doc = { name: info.ns.coll, type: 'collection' };
  if (nameOnly) return base;
  const idIndex = info.indexes.find(({ name }) => name === '_id_');
  return {
    ...base,
    options: info.options,
    info: { readOnly: false, uuid: new Binary(info.uuid, 4) },
    idIndex: idIndex ? indexDoc(idIndex) : {},
  };
}

const listCollections: Command = {
  name: 'listCollections',
  fields: ['listCollections', 'filter', 'nameOnly', 'cursor', 'authorizedCollections'],
  counter: 'command',
  run(ctx) {
    checkDatabaseName(ctx.db);
    const args = new Args('listCollections', ctx.body);
    const matcher = compileFilter(args.document('filter') ?? {});
    const nameOnly = args.boolean('nameOnly') ?? false;
    const docs = ctx.engine
      .collections(ctx.db, ctx.op)
      .filter((info) => matcher.matches(collectionDoc(info, false)))
      .map((info) => encode(collectionDoc(info, nameOnly)));
    const { cursor } = ctx.body;
    const batchSize = isDoc(cursor)
      ? new Args('listCollections.cursor', cursor).integer('batchSize')
      : undefined;
    return firstBatch(ctx, { db: ctx.db, coll: '$cmd.listCollections' }, arraySource(docs), { batchSize });
  },
};

const listDatabases: Command = {
  name: 'listDatabases',
  fields: ['listDatabases', 'filter', 'nameOnly', 'authorizedDatabases'],
  adminOnly: true,
  counter: 'command',
  run(ctx) {
    const args = new Args('listDatabases', ctx.body);
    const matcher = compileFilter(args.document('filter') ?? {});
    const nameOnly = args.boolean('nameOnly') ?? false;
    const found = ctx.engine
      .databases()
      .filter(({ name, sizeOnDisk, empty }) => matcher.matches({ name, sizeOnDisk, empty }));
    if (nameOnly) return { databases: found.map(({ name }) => ({ name })) };
    const totalSize = found.reduce((sum, { sizeOnDisk }) => sum + sizeOnDisk, 0);
    return {
      databases: found.map(({ name, sizeOnDisk, empty }) => ({
        name,
        sizeOnDisk: BigInt(sizeOnDisk),
        empty,
      })),
      totalSize: BigInt(totalSize),
      totalSizeMb: BigInt(Math.floor(totalSize / 1048576)),
    };
  },
};

export const catalogCommands: readonly Command[] = [
  create,
  drop,
  dropDatabase,
  renameCollection,
  collMod,
  listCollections,
  listDatabases,
];
