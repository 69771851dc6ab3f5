import { Inject, Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import { LOGGER, type Logger } from '../common/index.js';

export interface IndexReport {
  name: string;
  key: Record<string, unknown>;
  /** The index was made now. */
  created: boolean;
  bytes: number;
  /** In the database, but no schema declares it; left alone. */
  undeclared: boolean;
}

export interface CollectionReport {
  collection: string;
  documents: number;
  dataBytes: number;
  indexes: IndexReport[];
}

interface StorageStats {
  count?: number;
  size?: number;
  indexSizes?: Record<string, number>;
}

/** Creates the collections and indexes that the schemas of all rooms declare. Safe to run again and at the same time. */
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
      await model.createIndexes();
      reports.push(await this.report(collection, existing, declaredNames(model.schema.indexes())));
    }
    return reports;
  }

  /**
   * At start: creates what is missing on the embedded store; on a MongoDB, where building an index is the operator's decision,
   * only says what is missing.
   */
  async prepare(kind: 'embedded' | 'mongodb'): Promise<void> {
    if (kind === 'embedded') {
      await this.ensure();
      return;
    }
    const missing = await this.missing();
    if (missing.length > 0) this.logger.warn({ missing }, 'indexes are missing; run "npm run db:indexes"');
  }

  /** Declared indexes that the database lacks, as `collection.index`. */
  async missing(): Promise<string[]> {
    const missing: string[] = [];
    for (const name of this.connection.modelNames().sort()) {
      const { collection, schema } = this.connection.model(name);
      const existing = new Set(await this.indexNames(collection.collectionName));
      for (const index of declaredNames(schema.indexes()))
        if (!existing.has(index)) missing.push(`${collection.collectionName}.${index}`);
    }
    return missing;
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
    declared: Set<string>,
  ): Promise<CollectionReport> {
    const [stats] = await this.database()
      .collection(collection)
      .aggregate<{ storageStats: StorageStats }>([{ $collStats: { storageStats: {} } }])
      .toArray();
    const { count = 0, size = 0, indexSizes = {} } = stats?.storageStats ?? {};
    const indexes = await this.database().collection(collection).indexes();
    return {
      collection,
      documents: count,
      dataBytes: size,
      indexes: indexes.map(({ name = '', key }) => ({
        name,
        key: Object.fromEntries(Object.entries(key)),
        created: !before.has(name),
        bytes: indexSizes[name] ?? 0,
        undeclared: name !== '_id_' && !declared.has(name),
      })),
    };
  }

  private database(): NonNullable<Connection['db']> {
    if (!this.connection.db) throw new Error('the database connection is not open');
    return this.connection.db;
  }
}

/** Names as the server gives them: fields and directions joined by `_`, unless the schema names the index. */
const declaredNames = (indexes: readonly [Record<string, unknown>, { name?: string }][]): Set<string> =>
  new Set(indexes.map(([key, options]) => options.name ?? Object.entries(key).flat().join('_')));
