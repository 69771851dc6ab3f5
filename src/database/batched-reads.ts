import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import DataLoader from 'dataloader';
import type { Connection, mongo, Types } from 'mongoose';
import { TransactionRunner } from './transaction-runner.js';

/** Most documents by a field in one query. */
const MAX_POINTS = 100;

/** Most ranges in one query. */
const MAX_RANGES = 32;

/** Most documents of one range that shares a query with others: decoding a longer one costs more than the query that it would save. */
const MAX_SHARED_RANGE = 128;

/** A value that names documents within a tenant. */
export type KeyValue = string | Types.ObjectId;

export interface PointKey {
  tenantId: string;
  value: KeyValue;
}

/** Documents of one group in order, both ends included. */
export interface RangeKey extends PointKey {
  from: number;
  to: number;
}

export interface PointReads<Row> {
  readonly find: (tenantId: string, value: KeyValue) => Promise<Row | null>;
  /** Those that exist, in the order of `values`. */
  readonly findMany: (tenantId: string, values: readonly KeyValue[]) => Promise<Row[]>;
}

export type FindRange<Row> = (key: RangeKey) => Promise<Row[]>;

/** How reads of one kind become one query, and how its rows are given back to them. */
interface Kind<Key extends PointKey, Result> {
  collection: string;
  filter(keys: readonly Key[]): mongo.Document;
  /** Most rows that the filter can match. */
  rows(keys: readonly Key[]): number;
  results(keys: readonly Key[], rows: readonly mongo.Document[]): Result[];
}

/**
 * Reads of one turn of the event loop become one query of the driver, without Mongoose: a query costs the main thread some 150 µs, and
 * a document in it a few. Nothing is remembered between turns. In a running transaction each read is a query of its own, in the
 * transaction's session.
 *
 * Every condition names its tenant, so that an index and a shard key that begin with `tenantId` serve it, and rows are given to reads by
 * tenant and value. Reads of the same key share a document, which is not to be changed. An error rejects every read of the query.
 */
@Injectable()
export class BatchedReads {
  constructor(
    @InjectConnection() private readonly connection: Connection,
    private readonly transactions: TransactionRunner,
  ) {}

  /** Finds documents by a field whose values are unique in the tenant. */
  byField<Row>(collection: string, field: string): PointReads<Row> {
    const read = this.reader<PointKey, Row | null>(
      {
        collection,
        filter: (keys) => anyOf(pointConditions(field, keys)),
        rows: (keys) => keys.length,
        results: (keys, rows) => {
          const found = new Map(rows.map((row) => [nameOf(row['tenantId'], row[field]), row as Row]));
          return keys.map(({ tenantId, value }) => found.get(nameOf(tenantId, value)) ?? null);
        },
      },
      MAX_POINTS,
    );
    return {
      find: async (tenantId, value) => {
        const [row = null] = await read([{ tenantId, value }]);
        return row;
      },
      findMany: async (tenantId, values) => {
        const rows = await read(values.map((value) => ({ tenantId, value })));
        return rows.filter((row) => row !== null);
      },
    };
  }

  /** Finds the documents of a group whose `order` field, unique in the group, is within a range; in that order. */
  byRange<Row>(collection: string, group: string, order: string): FindRange<Row> {
    const positionOf = (row: mongo.Document): number => row[order] as number;
    const read = this.reader<RangeKey, Row[]>(
      {
        collection,
        filter: (keys) => anyOf(rangeConditions(group, order, keys)),
        rows: (keys) => keys.reduce((sum, { from, to }) => sum + to - from + 1, 0),
        results: (keys, rows) => {
          const groups = groupBy(rows, (row) => nameOf(row['tenantId'], row[group]));
          for (const rowsOfGroup of groups.values())
            rowsOfGroup.sort((a, b) => positionOf(a) - positionOf(b));
          return keys.map(({ tenantId, value, from, to }) => {
            const all = groups.get(nameOf(tenantId, value)) ?? [];
            return all.filter((row) => positionOf(row) >= from && positionOf(row) <= to) as Row[];
          });
        },
      },
      MAX_RANGES,
    );
    return async (key) => {
      if (key.from > key.to) return [];
      const [rows = []] = await read([key], key.to - key.from < MAX_SHARED_RANGE);
      return rows;
    };
  }

  private reader<Key extends PointKey, Result>(
    kind: Kind<Key, Result>,
    maxBatchSize: number,
  ): (keys: readonly Key[], mayShare?: boolean) => Promise<Result[]> {
    const read = async (keys: readonly Key[], session?: mongo.ClientSession): Promise<Result[]> =>
      kind.results(keys, await this.query(kind, keys, session));
    const loader = new DataLoader<Key, Result>((keys) => read(keys), {
      cache: false,
      maxBatchSize,
      // After all requests of the turn have been read from their sockets.
      batchScheduleFn: (dispatch) => setImmediate(dispatch),
    });
    return (keys, mayShare = true) => {
      const { session } = this.transactions;
      if (!mayShare || session) return read(keys, session);
      return Promise.all(keys.map((key) => loader.load(key)));
    };
  }

  private async query<Key extends PointKey>(
    kind: Kind<Key, unknown>,
    keys: readonly Key[],
    session: mongo.ClientSession | undefined,
  ): Promise<mongo.Document[]> {
    if (keys.length === 0) return [];
    if (!this.connection.db) throw new Error('the database connection is not open');
    // One more than there can be, so that the first reply says that there are no more.
    const options = { batchSize: kind.rows(keys) + 1, ...(session && { session }) };
    return this.connection.db.collection(kind.collection).find(kind.filter(keys), options).toArray();
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : (value as Types.ObjectId).toHexString();

const nameOf = (tenantId: unknown, value: unknown): string => `${tenantId as string}\0${textOf(value)}`;

const anyOf = (conditions: mongo.Document[]): mongo.Document =>
  conditions.length === 1 && conditions[0] ? conditions[0] : { $or: conditions };

/** The values of `keys`, each once. */
function oneOf(keys: readonly PointKey[]): KeyValue | { $in: KeyValue[] } | undefined {
  const values = [...new Map(keys.map(({ value }) => [textOf(value), value])).values()];
  return values.length === 1 ? values[0] : { $in: values };
}

/** One condition for each tenant, so that no tenant is searched for a value that was asked of another. */
const pointConditions = (field: string, keys: readonly PointKey[]): mongo.Document[] =>
  [...groupBy(keys, ({ tenantId }) => tenantId)].map(([tenantId, ofTenant]) => ({
    tenantId,
    [field]: oneOf(ofTenant),
  }));

/** One condition for each tenant and range: first pages have the same one whatever their conversation. */
const rangeConditions = (group: string, order: string, keys: readonly RangeKey[]): mongo.Document[] =>
  [...groupBy(keys, ({ tenantId, from, to }) => `${tenantId}\0${from}\0${to}`).values()].flatMap((same) =>
    same.slice(0, 1).map(({ tenantId, from, to }) => ({
      tenantId,
      [group]: oneOf(same),
      [order]: { $gte: from, $lte: to },
    })),
  );
