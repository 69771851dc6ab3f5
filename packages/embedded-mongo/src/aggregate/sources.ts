import type { CollectionInfo, CollectionStats } from '../engine/types.js';
import { int, isDoc, isNumeric, long, toNumber, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { Latency, PipelineContext } from './context.js';
import type { Batches } from './stream.js';

/** The documents of a first stage that does not read a collection, or undefined for any other stage. */
export function sourceStage(
  name: string | undefined,
  stage: Doc | undefined,
  context: PipelineContext,
): Batches | undefined {
  const spec = name === undefined ? undefined : stage?.[name];
  if (name === undefined) return undefined;
  if (name === '$collStats')
    return oneBatch(async () => [await collectionStats(isDoc(spec) ? spec : {}, context)]);
  if (name === '$indexStats') return oneBatch(() => Promise.resolve(indexStats(context)));
  if (Object.hasOwn(context.serverSources, name)) {
    const docs = context.serverSources[name]!(spec);
    return oneBatch(() => Promise.resolve(docs));
  }
  return undefined;
}

async function* oneBatch(docs: () => Promise<Doc[]>): AsyncGenerator<Doc[]> {
  yield await docs();
}

/** Latency statistics of a collection, with an empty histogram if requested. */
function latencyStats(spec: Doc, { latency, ns }: PipelineContext): Doc {
  const histogram = spec['histograms'] === true ? { histogram: [] } : {};
  const { reads, writes, commands } = latency(ns);
  const shown = ({ ops, latency: micros }: Latency): Doc => ({
    ...histogram,
    latency: long(micros),
    ops: long(ops),
  });
  return {
    reads: shown(reads),
    writes: shown(writes),
    commands: shown(commands),
    transactions: shown({ ops: 0, latency: 0 }),
  };
}

async function collectionStats(spec: Doc, context: PipelineContext): Promise<Doc> {
  const { engine, ns, op } = context;
  const info = engine.collection(ns);
  if (!info) throw new ServerError('NamespaceNotFound', `Collection [${ns.db}.${ns.coll}] not found.`);
  const stats = await engine.collectionStats(ns, op);
  const doc: Doc = { ns: `${ns.db}.${ns.coll}`, host: 'embedded', localTime: new Date(context.now()) };
  if (isDoc(spec['latencyStats'])) doc['latencyStats'] = latencyStats(spec['latencyStats'], context);
  if (isDoc(spec['storageStats'])) doc['storageStats'] = storageStats(spec['storageStats'], stats, info);
  if (isDoc(spec['count'])) doc['count'] = int(stats.count);
  return doc;
}

function storageStats({ scale: given }: Doc, stats: CollectionStats, info: CollectionInfo): Doc {
  const scale = isNumeric(given) ? Math.max(1, toNumber(given)) : 1;
  const scaled = (bytes: number): number => Math.floor(bytes / scale);
  const totalIndexSize = Object.values(stats.indexSizes).reduce((sum, bytes) => sum + bytes, 0);
  return {
    size: scaled(stats.size),
    count: stats.count,
    avgObjSize: stats.count > 0 ? Math.floor(stats.size / stats.count) : 0,
    numOrphanDocs: 0,
    storageSize: scaled(stats.storageSize),
    freeStorageSize: 0,
    capped: info.options['capped'] === true,
    ...cappedLimits(info.options, scale),
    nindexes: info.indexes.length,
    indexBuilds: [],
    totalIndexSize: scaled(totalIndexSize),
    totalSize: scaled(stats.storageSize + totalIndexSize),
    indexSizes: Object.fromEntries(
      Object.entries(stats.indexSizes).map(([name, bytes]) => [name, scaled(bytes)]),
    ),
    scaleFactor: scale,
  };
}

/**
 * The limits of a capped collection as shown by collStats: documents (0: no limit) and bytes divided by
 * `scale`.
 */
export function cappedLimits({ capped, size, max }: Doc, scale: number): { max?: number; maxSize?: number } {
  if (capped !== true) return {};
  return {
    max: isNumeric(max) ? toNumber(max) : 0,
    maxSize: isNumeric(size) ? Math.floor(toNumber(size) / scale) : 0,
  };
}

/** How often queries have used each index since the store was opened. */
function indexStats({ engine, ns }: PipelineContext): Doc[] {
  const uses = new Map(engine.indexUse(ns).map((use) => [use.name, use]));
  return (engine.collection(ns)?.indexes ?? []).map((index) => {
    const use = uses.get(index.name);
    return {
      name: index.name,
      key: index.key,
      host: 'embedded',
      accesses: { ops: long(use?.ops ?? 0), since: new Date(use?.since ?? 0) },
      spec: { ...index },
    };
  });
}
