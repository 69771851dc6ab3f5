import type { DatabaseInfo } from '../engine/types.js';
import { compileFilter } from '../query/matcher.js';
import { Args, checkDatabaseName, namespaceOf, nsText, parseNamespace } from './arguments.js';
import { collMod, convertToCapped } from './coll-mod.js';
import type { Command } from './command.js';
import { create } from './create.js';
import { listCollections } from './list-collections.js';

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

/** Databases that every replica set member has. */
const systemDatabases = ['admin', 'config', 'local'] as const;
const systemDatabaseBytes = 40_960;

function withSystemDatabases(databases: readonly DatabaseInfo[]): DatabaseInfo[] {
  const missing = systemDatabases.filter((system) => !databases.some(({ name }) => name === system));
  return [
    ...databases,
    ...missing.map((name) => ({ name, sizeOnDisk: systemDatabaseBytes, empty: false })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const listDatabases: Command = {
  name: 'listDatabases',
  fields: ['listDatabases', 'filter', 'nameOnly', 'authorizedDatabases'],
  adminOnly: true,
  counter: 'command',
  run(ctx) {
    const args = new Args('listDatabases', ctx.body);
    const matcher = compileFilter(args.document('filter') ?? {});
    const nameOnly = args.boolean('nameOnly') ?? false;
    const found = withSystemDatabases(ctx.engine.databases()).filter(({ name, sizeOnDisk, empty }) =>
      matcher.matches({ name, sizeOnDisk, empty }),
    );
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
  convertToCapped,
  listCollections,
  listDatabases,
];
