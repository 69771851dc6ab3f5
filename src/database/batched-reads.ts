import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import DataLoader from 'dataloader';
import type { Connection, mongo, Types } from 'mongoose';
import { TransactionRunner } from './transaction-runner.js';

/** Maximum number of documents found by field in one query. */
const MAX_POINTS = 100;

/** Maximum number of ranges in one query. */
const MAX_RANGES = 32;

/**
 * Maximum length of a range that shares a query with others: decoding a longer one costs more than the query
 * that sharing would save.
 */
const MAX_SHARED_RANGE = 128;

/** A field value that identifies documents within a tenant. */
export type KeyValue = string | Types.ObjectId;

export interface PointKey {
  tenantId: string;
  value: KeyValue;
}

/** A range of documents of one group, with both ends included. */
export interface RangeKey extends PointKey {
  from: number;
  to: number;
}

export interface PointReads<Row> {
  readonly find: (tenantId: string, value: KeyValue) => Promise<Row | null>;
  /** Returns the documents that exist, in the order of `values`. */
  readonly findMany: (tenantId: string, values: readonly KeyValue[]) => Promise<Row[]>;
}

export type FindRange<Row> = (key: RangeKey) => Promise<Row[]>;

/** How reads of one kind are merged into one query, and how its rows are distributed among them. */
interface Kind<Key extends PointKey, Result> {
  collection: string;
  filter(keys: readonly Key[]): mongo.Document;
  /** Upper bound on the number of rows that the filter can match. */
  rows(keys: readonly Key[]): number;
  results(keys: readonly Key[], rows: readonly mongo.Document[]): Result[];
}

/**
 * Merges the reads made in one turn of the event loop into one driver query, without Mongoose. A query costs
 * the main thread about 150 µs, and each document in it only a few. Nothing is cached between turns. Inside a
 * running transaction each read is its own query, in the transaction's session.
 *
 * Every condition includes the tenant, so that an index or shard key that begins with `tenantId` can serve
 * it. Rows are matched to reads by tenant and value. Reads of the same key receive the same document, which
 * must not be modified. An error rejects every read of the query.
 */
@Injectable()
export class BatchedReads {
  constructor(
    @InjectConnection() private readonly connection: Connection,
    private readonly transactions: TransactionRunner,
  ) {}

  /** Finds documents by a field whose values are unique within a tenant. */
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

  /**
   * Finds the documents of a group whose `order` field is within a range, sorted by it. Its values must be
   * unique in the group.
   */
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
      // setImmediate runs after all requests of this turn have been read from their sockets.
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
    // One more than the query can return, so that the first reply already closes the cursor.
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

/** A condition that matches the distinct values of `keys`. */
function oneOf(keys: readonly PointKey[]): KeyValue | { $in: KeyValue[] } | undefined {
  const values = [...new Map(keys.map(({ value }) => [textOf(value), value])).values()];
  return values.length === 1 ? values[0] : { $in: values };
}

/** One condition per tenant, so that a tenant is searched only for its own values. */
const pointConditions = (field: string, keys: readonly PointKey[]): mongo.Document[] =>
  [...groupBy(keys, ({ tenantId }) => tenantId)].map(([tenantId, ofTenant]) => ({
    tenantId,
    [field]: oneOf(ofTenant),
  }));

/** One condition per tenant and range: the first pages of all conversations share one. */
const rangeConditions = (group: string, order: string, keys: readonly RangeKey[]): mongo.Document[] =>
  [...groupBy(keys, ({ tenantId, from, to }) => `${tenantId}\0${from}\0${to}`).values()].flatMap((same) =>
    same.slice(0, 1).map(({ tenantId, from, to }) => ({
      tenantId,
      [group]: oneOf(same),
      [order]: { $gte: from, $lte: to },
    })),
  );
