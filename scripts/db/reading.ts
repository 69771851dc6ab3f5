import { statfs } from 'node:fs/promises';
import type { mongo } from 'mongoose';

export interface CollectionSize {
  name: string;
  documents: number;
  /** In bytes. */
  data: number;
  indexes: Readonly<Record<string, number>>;
}

export interface Storage {
  documents: number;
  /** In bytes, like `stored` and `indexes`. */
  data: number;
  stored: number;
  indexes: number;
  collections: readonly CollectionSize[];
  /** The disk of an embedded store, in bytes. */
  disk?: { free: number; total: number };
}

/** WiredTiger's cache, in bytes, and pages since the start. The embedded store has no such cache. */
export interface CacheReading {
  used: number;
  max: number;
  dirty: number;
  requested: number;
  read: number;
}

/** The state that a server reported at one time. Counters start at zero when the server starts. */
export interface Reading {
  /** Epoch milliseconds. */
  at: number;
  version: string;
  engine: string;
  /** In seconds. */
  uptime: number;
  /** Absent when the server does not report it. */
  connections: { current?: number; available?: number };
  /** Operations waiting for a lock. */
  queued: number;
  openCursors: number;
  openTransactions: number;
  /** In bytes. */
  resident: number;
  /** insert, query, update, delete, getmore, command. */
  operations: Readonly<Record<string, number>>;
  network: { in: number; out: number; requests: number };
  transactions: { committed: number; aborted: number };
  cache?: CacheReading;
}

type Doc = mongo.Document;

const at = (doc: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Doc | undefined)?.[name], doc);

const number = (doc: unknown, ...path: string[]): number => Number(at(doc, ...path) ?? 0);

const figure = <Name extends string>(name: Name, value: unknown): Partial<Record<Name, number>> =>
  value === undefined ? {} : ({ [name]: Number(value) } as Record<Name, number>);

const text = (doc: unknown, ...path: string[]): string => {
  const value = at(doc, ...path);
  return typeof value === 'string' ? value : 'unknown';
};

const operationNames = ['insert', 'query', 'update', 'delete', 'getmore', 'command'] as const;

function cacheOf(status: Doc): CacheReading | undefined {
  const cache = at(status, 'wiredTiger', 'cache');
  if (cache === undefined) return undefined;
  return {
    used: number(cache, 'bytes currently in the cache'),
    max: number(cache, 'maximum bytes configured'),
    dirty: number(cache, 'tracked dirty bytes in the cache'),
    requested: number(cache, 'pages requested from the cache'),
    read: number(cache, 'pages read into cache'),
  };
}

/** Converts a reply to `serverStatus` to a reading. */
export function readingOf(status: Doc, now: number): Reading {
  const cache = cacheOf(status);
  return {
    at: now,
    version: text(status, 'version'),
    engine: text(status, 'storageEngine', 'name'),
    uptime: number(status, 'uptime'),
    connections: {
      ...figure('current', at(status, 'connections', 'current')),
      ...figure('available', at(status, 'connections', 'available')),
    },
    queued: number(status, 'globalLock', 'currentQueue', 'total'),
    openCursors: number(status, 'metrics', 'cursor', 'open', 'total'),
    openTransactions: number(status, 'transactions', 'currentOpen'),
    resident: number(status, 'mem', 'resident') * 1024 * 1024,
    operations: Object.fromEntries(operationNames.map((name) => [name, number(status, 'opcounters', name)])),
    network: {
      in: number(status, 'network', 'bytesIn'),
      out: number(status, 'network', 'bytesOut'),
      requests: number(status, 'network', 'numRequests'),
    },
    transactions: {
      committed: number(status, 'transactions', 'totalCommitted'),
      aborted: number(status, 'transactions', 'totalAborted'),
    },
    ...(cache && { cache }),
  };
}

export async function readServer(client: mongo.MongoClient): Promise<Reading> {
  return readingOf(await client.db('admin').command({ serverStatus: 1 }), Date.now());
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** Reads the sizes of the database and of each collection. `dir` is the directory of an embedded store. */
export async function readStorage(db: mongo.Db, dir?: string): Promise<Storage> {
  const stats = await db.command({ dbStats: 1 });
  const listed = await db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray();
  const collections: CollectionSize[] = [];
  for (const { name } of listed) {
    const one = await db.command({ collStats: name });
    const indexes = Object.entries((one['indexSizes'] ?? {}) as Record<string, unknown>);
    collections.push({
      name,
      documents: number(one, 'count'),
      data: number(one, 'size'),
      indexes: Object.fromEntries(indexes.map(([index, bytes]) => [index, Number(bytes)])),
    });
  }
  const size = ({ data, indexes }: CollectionSize): number => data + sum(Object.values(indexes));
  const disk = dir === undefined ? undefined : await statfs(dir);
  return {
    documents: number(stats, 'objects'),
    data: number(stats, 'dataSize'),
    stored: number(stats, 'storageSize'),
    indexes: number(stats, 'indexSize'),
    collections: collections.sort((a, b) => size(b) - size(a)),
    ...(disk && { disk: { free: disk.bavail * disk.bsize, total: disk.blocks * disk.bsize } }),
  };
}
