import { Binary } from 'bson';
import type { Namespace } from '../engine/types.js';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, checkDatabaseName, namespaceOf, nsText } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';
import type { Engine } from '../engine/types.js';
import { cappedLimits } from '../aggregate/sources.js';
import { refuseView } from './view-reads.js';

/** What collStats and the stage `$collStats` tell; sizes are divided by `scale`. */
export function storageStats(engine: Engine, ns: Namespace, scale: number): ReplyDoc {
  const stats = engine.collectionStats(ns);
  const info = engine.collection(ns);
  if (info) refuseView(info);
  const scaled = (bytes: number): number => Math.floor(bytes / scale);
  const indexSizes = Object.fromEntries(
    Object.entries(stats.indexSizes).map(([name, bytes]) => [name, scaled(bytes)]),
  );
  const totalIndexSize = Object.values(stats.indexSizes).reduce((sum, bytes) => sum + bytes, 0);
  return {
    size: scaled(stats.size),
    count: stats.count,
    avgObjSize: stats.count > 0 ? Math.floor(stats.size / stats.count) : undefined,
    numOrphanDocs: 0,
    storageSize: scaled(stats.storageSize),
    freeStorageSize: 0,
    capped: info?.options['capped'] === true,
    ...cappedLimits(info?.options ?? {}, scale),
    nindexes: info?.indexes.length ?? 0,
    indexBuilds: [],
    totalIndexSize: scaled(totalIndexSize),
    totalSize: scaled(stats.storageSize + totalIndexSize),
    indexSizes,
    scaleFactor: scale,
  };
}

function scaleOf(args: Args): number {
  const scale = args.integer('scale', Number.MIN_SAFE_INTEGER) ?? 1;
  if (scale < 1)
    throw new ServerError('BadValue', `BSON field 'scale' value must be >= 1, actual value '${scale}'`);
  return scale;
}

const collStats: Command = {
  name: 'collStats',
  aliases: ['collstats'],
  counter: 'command',
  run(ctx) {
    const ns = namespaceOf(ctx.name, ctx.db, ctx.body);
    return { ns: nsText(ns), ...storageStats(ctx.engine, ns, scaleOf(new Args('collStats', ctx.body))) };
  },
};

function dbStats(ctx: CommandContext): ReplyDoc {
  checkDatabaseName(ctx.db);
  const scale = scaleOf(new Args('dbStats', ctx.body));
  const all = ctx.engine.collections(ctx.db);
  const infos = all.filter(({ type }) => type !== 'view');
  const stats = infos.map(({ ns }) => ctx.engine.collectionStats(ns));
  const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0);
  const objects = sum(stats.map(({ count }) => count));
  const dataSize = sum(stats.map(({ size }) => size));
  const storageSize = sum(stats.map((one) => one.storageSize));
  const indexSize = sum(stats.flatMap(({ indexSizes }) => Object.values(indexSizes)));
  return {
    db: ctx.db,
    collections: BigInt(infos.length),
    views: BigInt(all.length - infos.length),
    objects: BigInt(objects),
    avgObjSize: objects > 0 ? dataSize / objects : 0,
    dataSize: dataSize / scale,
    storageSize: storageSize / scale,
    indexes: BigInt(sum(infos.map(({ indexes }) => indexes.length))),
    indexSize: indexSize / scale,
    totalSize: (storageSize + indexSize) / scale,
    scaleFactor: BigInt(scale),
  };
}

const validate: Command = {
  name: 'validate',
  counter: 'command',
  async run(ctx) {
    const ns = namespaceOf('validate', ctx.db, ctx.body);
    const info = ctx.engine.collection(ns);
    if (info?.type === 'view') throw new ServerError('CommandNotSupportedOnView', 'Cannot validate a view');
    const found = info && (await ctx.engine.validate(ns, ctx.op));
    if (!found)
      throw new ServerError('NamespaceNotFound', `Collection '${nsText(ns)}' does not exist to validate.`);
    const { documents, corrupt, keysPerIndex, missing, extra, errors } = found;
    const indexDetails = Object.keys(keysPerIndex).map((name) => [
      name,
      { valid: !(name in missing) && !(name in extra) },
    ]);
    return {
      ns: nsText(ns),
      uuid: new Binary(info.uuid, 4),
      nInvalidDocuments: corrupt,
      nNonCompliantDocuments: 0,
      nrecords: documents,
      nIndexes: info.indexes.length,
      keysPerIndex,
      indexDetails: Object.fromEntries(indexDetails) as Doc,
      valid: errors.length === 0,
      repaired: false,
      errors,
      warnings: [],
    };
  },
};

export const statisticsCommands: readonly Command[] = [
  collStats,
  { name: 'dbStats', aliases: ['dbstats'], counter: 'command', run: dbStats },
  validate,
];
