import { Binary } from 'bson';
import type { CollectionStats, Namespace } from '../engine/types.js';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, checkDatabaseName, namespaceOf, nsText } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';
import { cappedLimits } from '../aggregate/sources.js';
import { refuseView } from './view-reads.js';

/** The reply to collStats. Sizes are divided by `scale`. */
async function storageStats({ engine, op }: CommandContext, ns: Namespace, scale: number): Promise<ReplyDoc> {
  const stats = await engine.collectionStats(ns, op);
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
  async run(ctx) {
    const ns = namespaceOf(ctx.name, ctx.db, ctx.body);
    const stats = await storageStats(ctx, ns, scaleOf(new Args('collStats', ctx.body)));
    return { ns: nsText(ns), ...stats };
  },
};

async function dbStats(ctx: CommandContext): Promise<ReplyDoc> {
  checkDatabaseName(ctx.db);
  const scale = scaleOf(new Args('dbStats', ctx.body));
  const all = ctx.engine.collections(ctx.db);
  const infos = all.filter(({ type }) => type !== 'view');
  const stats: CollectionStats[] = [];
  for (const { ns } of infos) stats.push(await ctx.engine.collectionStats(ns, ctx.op));
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
    const args = new Args('validate', ctx.body);
    if (args.boolean('full') && args.boolean('background')) {
      throw new ServerError(
        'InvalidOptions',
        'Running the validate command with both { background: true } and { full: true } is not supported.',
      );
    }
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

type Timed = { count: number; micros: number };

const timed = (...counters: Timed[]): ReplyDoc => ({
  time: BigInt(Math.round(counters.reduce((sum, { micros }) => sum + micros, 0))),
  count: BigInt(counters.reduce((sum, { count }) => sum + count, 0)),
});

/** Total time of the operations on each collection since startup, in microseconds. */
function top(ctx: CommandContext): ReplyDoc {
  const totals: ReplyDoc = { note: 'all times in microseconds' };
  for (const [ns, use] of ctx.host.usage.all()) {
    const { insert, query, update, remove, getmore, command } = use;
    totals[ns] = {
      total: timed(insert, query, update, remove, getmore, command),
      readLock: timed(query, getmore, command),
      writeLock: timed(insert, update, remove),
      queries: timed(query),
      getmore: timed(getmore),
      insert: timed(insert),
      update: timed(update),
      remove: timed(remove),
      commands: timed(command),
    };
  }
  return { totals };
}

export const statisticsCommands: readonly Command[] = [
  collStats,
  validate,
  { name: 'dbStats', aliases: ['dbstats'], counter: 'command', run: dbStats },
  { name: 'top', adminOnly: true, counter: 'command', run: top },
];
