import { Inject, Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, mongo } from 'mongoose';
import { LOGGER, type Logger } from '../logging/index.js';

export interface IndexReport {
  name: string;
  key: Record<string, unknown>;
  /** Whether this run created the index. */
  created: boolean;
  bytes?: number;
  /** Whether the index exists in the database but not in any schema. Such indexes are kept. */
  undeclared: boolean;
}

/** Figures are absent when the server does not provide them; Amazon DocumentDB, for example, does not. */
export interface CollectionReport {
  collection: string;
  documents?: number;
  dataBytes?: number;
  indexes: IndexReport[];
}

export interface MissingIndex {
  /** `collection.index`. */
  name: string;
  /** Without a unique index, duplicates can be stored. */
  unique: boolean;
}

/** The static of a schema that lists the indexes of older versions, as a function that returns ReplacedIndexes. */
export const REPLACED_INDEXES = 'replacedIndexes';

/** An index of an older version that a declared one replaces. It is dropped after that has been created. */
export interface ReplacedIndex {
  readonly name: string;
  /** Gives stored documents what the new index needs. It runs before the index is created, possibly again. */
  migrate(collection: mongo.Collection, database: mongo.Db): Promise<void>;
}

const replacedIndexes = (statics: Readonly<Record<string, unknown>> = {}): readonly ReplacedIndex[] => {
  const list = statics[REPLACED_INDEXES];
  return typeof list === 'function' ? (list as () => ReplacedIndex[])() : [];
};

const INDEX_NOT_FOUND = 27;

interface StorageStats {
  count?: number;
  size?: number;
  indexSizes?: Record<string, number>;
}

/** Adds up the rows of `$collStats`, which returns one for each shard. */
function sumOf(rows: readonly StorageStats[]): Required<StorageStats> {
  const sum = { count: 0, size: 0, indexSizes: {} as Record<string, number> };
  for (const { count = 0, size = 0, indexSizes = {} } of rows) {
    sum.count += count;
    sum.size += size;
    for (const [name, bytes] of Object.entries(indexSizes))
      sum.indexSizes[name] = (sum.indexSizes[name] ?? 0) + bytes;
  }
  return sum;
}

/**
 * Creates the collections and indexes that the schemas of all modules declare, and replaces those of older
 * versions. Safe to run repeatedly and concurrently.
 */
@Injectable()
export class IndexManager {
  constructor(
    @InjectConnection() private readonly connection: Connection,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async ensure(): Promise<CollectionReport[]> {
    const reports: CollectionReport[] = [];
    for (const name of this.connection.modelNames().sort()) {
      const model = this.connection.model(name);
      const collection = model.collection.collectionName;
      const existing = new Set(await this.indexNames(collection));
      if (existing.size === 0) await model.createCollection();
      const replaced = replacedIndexes(model.schema.statics).filter((index) => existing.has(index.name));
      for (const index of replaced)
        await index.migrate(this.database().collection(collection), this.database());
      await model.createIndexes();
      for (const index of replaced) await this.drop(collection, index.name);
      reports.push(await this.report(collection, existing, declaredIndexes(model.schema.indexes())));
    }
    return reports;
  }

  /**
   * Runs at start. On the embedded store, creates missing indexes. On a MongoDB server, where building an
   * index is the operator's decision, only logs them. The process does not become ready until the unique
   * indexes exist.
   */
  async prepare(kind: 'embedded' | 'mongodb'): Promise<void> {
    if (kind === 'embedded') {
      await this.ensure();
      return;
    }
    const missing = (await this.missing()).map(({ name }) => name);
    if (missing.length > 0)
      this.logger.warn(
        { missing },
        'indexes are missing; run "npm run db:indexes" (in the image: "node dist/scripts/db-indexes.js")',
      );
  }

  /** Declared indexes that the database lacks. */
  async missing(): Promise<MissingIndex[]> {
    const missing: MissingIndex[] = [];
    for (const name of this.connection.modelNames().sort()) {
      const { collection, schema } = this.connection.model(name);
      const existing = new Set(await this.indexNames(collection.collectionName));
      for (const [index, unique] of declaredIndexes(schema.indexes()))
        if (!existing.has(index)) missing.push({ name: `${collection.collectionName}.${index}`, unique });
    }
    return missing;
  }

  private async drop(collection: string, index: string): Promise<void> {
    try {
      await this.database().collection(collection).dropIndex(index);
      this.logger.info({ collection, index }, 'dropped an index that another one replaces');
    } catch (error) {
      // Another process has dropped it.
      if (!(error instanceof mongo.MongoServerError && error.code === INDEX_NOT_FOUND)) throw error;
    }
  }

  private async indexNames(collection: string): Promise<string[]> {
    const known = await this.database().listCollections({ name: collection }, { nameOnly: true }).toArray();
    if (known.length === 0) return [];
    const indexes = await this.database().collection(collection).indexes();
    return indexes.map((index) => index.name ?? '');
  }

  private async report(
    collection: string,
    before: Set<string>,
    declared: ReadonlyMap<string, boolean>,
  ): Promise<CollectionReport> {
    const stats = await this.storageStats(collection);
    const indexes = await this.database().collection(collection).indexes();
    return {
      collection,
      ...(stats && { documents: stats.count, dataBytes: stats.size }),
      indexes: indexes.map(({ name = '', key }) => ({
        name,
        key: Object.fromEntries(Object.entries(key)),
        created: !before.has(name),
        ...(stats?.indexSizes[name] !== undefined && { bytes: stats.indexSizes[name] }),
        undeclared: name !== '_id_' && !declared.has(name),
      })),
    };
  }

  /** Returns undefined when the server does not provide them: for a view, or without `$collStats`. */
  private async storageStats(collection: string): Promise<Required<StorageStats> | undefined> {
    try {
      const rows = await this.database()
        .collection(collection)
        .aggregate<{ storageStats?: StorageStats }>([{ $collStats: { storageStats: {} } }])
        .toArray();
      const stats = rows.flatMap(({ storageStats }) => storageStats ?? []);
      return stats.length > 0 ? sumOf(stats) : undefined;
    } catch (error) {
      if (!(error instanceof mongo.MongoServerError)) throw error;
      this.logger.debug({ err: error, collection }, 'the server provides no figures for this collection');
      return undefined;
    }
  }

  private database(): NonNullable<Connection['db']> {
    if (!this.connection.db) throw new Error('the database connection is not open');
    return this.connection.db;
  }
}

/**
 * Maps each index name to whether the index is unique. Names are built as the server builds them, by joining
 * fields and directions with `_`, unless the schema names the index.
 */
const declaredIndexes = (
  indexes: readonly [Record<string, unknown>, { name?: string; unique?: unknown }][],
): ReadonlyMap<string, boolean> =>
  new Map(
    indexes.map(([key, options]) => [
      options.name ?? Object.entries(key).flat().join('_'),
      Boolean(options.unique),
    ]),
  );
