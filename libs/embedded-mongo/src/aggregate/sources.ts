import { isDoc, isNumeric, long, toNumber, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { PipelineContext } from './context.js';
import type { Batches } from './stream.js';

/** The documents of a first stage that reads no collection; undefined for any other stage. */
export function sourceStage(
  name: string | undefined,
  stage: Doc | undefined,
  context: PipelineContext,
): Batches | undefined {
  const spec = name === undefined ? undefined : stage?.[name];
  if (name === '$collStats') return oneBatch(() => [collectionStats(isDoc(spec) ? spec : {}, context)]);
  if (name === '$indexStats') return oneBatch(() => indexStats(context));
  return undefined;
}

async function* oneBatch(docs: () => Doc[]): AsyncGenerator<Doc[]> {
  yield docs();
}

function collectionStats(spec: Doc, context: PipelineContext): Doc {
  const { engine, ns } = context;
  const info = engine.collection(ns);
  if (!info) throw new ServerError('NamespaceNotFound', `Collection [${ns.db}.${ns.coll}] not found.`);
  const stats = engine.collectionStats(ns);
  const doc: Doc = { ns: `${ns.db}.${ns.coll}`, host: 'embedded', localTime: new Date(context.now()) };
  if (isDoc(spec['count'])) doc['count'] = long(stats.count);
  if (isDoc(spec['storageStats'])) {
    const totalIndexSize = Object.values(stats.indexSizes).reduce((sum, bytes) => sum + bytes, 0);
    doc['storageStats'] = {
      size: stats.size,
      count: stats.count,
      avgObjSize: stats.count > 0 ? Math.floor(stats.size / stats.count) : 0,
      storageSize: stats.storageSize,
      capped: info.options['capped'] === true,
      ...cappedLimits(info.options, 1),
      nindexes: info.indexes.length,
      totalIndexSize,
      totalSize: stats.storageSize + totalIndexSize,
      indexSizes: stats.indexSizes,
      scaleFactor: 1,
    };
  }
  return doc;
}

/** The limits of a capped collection as collStats tells them: documents (0: no limit) and bytes divided by `scale`. */
export function cappedLimits({ capped, size, max }: Doc, scale: number): { max?: number; maxSize?: number } {
  if (capped !== true) return {};
  return {
    max: isNumeric(max) ? toNumber(max) : 0,
    maxSize: isNumeric(size) ? Math.floor(toNumber(size) / scale) : 0,
  };
}

/** Uses are not counted; the shape is MongoDB's. */
function indexStats({ engine, ns, now }: PipelineContext): Doc[] {
  const info = engine.collection(ns);
  return (info?.indexes ?? []).map((index) => ({
    name: index.name,
    key: index.key,
    host: 'embedded',
    accesses: { ops: long(0), since: new Date(now()) },
    spec: { ...index },
  }));
}
