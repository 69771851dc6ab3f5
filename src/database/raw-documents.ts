import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, mongo, type Types } from 'mongoose';
import { TransactionRunner } from './transaction-runner.js';

/**
 * A decoded document in which every value keeps its BSON type: numbers are `Int32`, `Double` or `Long` rather
 * than JavaScript numbers.
 */
export type ExactDocument = mongo.Document;

/** A stored document as its BSON bytes. */
export interface RawRow {
  collection: string;
  /** The root that the document belongs to; its own id if it is one. */
  root: Types.ObjectId;
  bytes: Uint8Array;
}

/** Documents in one response of the database. */
const BATCH = 500;

const exact = {
  promoteValues: false,
  promoteBuffers: false,
  promoteLongs: false,
  bsonRegExp: true,
  // As in the options of the connection.
  fieldsAsRaw: Object.create(null) as mongo.Document,
  validation: { utf8: false },
} as const;

export const decodeExactly = (bytes: Uint8Array): ExactDocument => mongo.BSON.deserialize(bytes, exact);

export const encodeExactly = (document: ExactDocument): Uint8Array => mongo.BSON.serialize(document);

/** The document as a model would return it. */
export const plainOf = <Row>(document: ExactDocument): Row =>
  mongo.BSON.deserialize(encodeExactly(document)) as Row;

/** Whether two documents are equal in every type and in the order of their fields. */
export const sameBytes = (a: ExactDocument, b: ExactDocument): boolean =>
  Buffer.from(encodeExactly(a)).equals(encodeExactly(b));

export interface RawQuery {
  filter: mongo.Filter<mongo.Document>;
  sort?: Record<string, 1 | -1>;
  projection?: Record<string, 0 | 1>;
}

/**
 * Reads and inserts documents as their BSON bytes, so that every type and the order of fields are kept. For
 * moving documents, not for working with them.
 */
@Injectable()
export class RawDocuments {
  private readonly database: mongo.Db;

  constructor(
    @InjectConnection() connection: Connection,
    private readonly transactions: TransactionRunner,
  ) {
    this.database = connection.getClient().db(connection.name);
  }

  /** Reads committed documents, also inside a transaction. */
  async *find(collection: string, { filter, sort, projection }: RawQuery): AsyncGenerator<Uint8Array> {
    const cursor = this.database.collection(collection).find(filter, {
      raw: true,
      batchSize: BATCH,
      ...(sort && { sort }),
      ...(projection && { projection }),
    });
    try {
      for await (const bytes of cursor) yield bytes as unknown as Uint8Array;
    } finally {
      await cursor.close();
    }
  }

  /** Reads documents by id, each as the root of its own row. */
  async *roots(collection: string, tenantId: string, ids: readonly Types.ObjectId[]): AsyncGenerator<RawRow> {
    for await (const bytes of this.find(collection, { filter: { tenantId, _id: { $in: [...ids] } } }))
      yield { collection, root: decodeExactly(bytes)['_id'] as Types.ObjectId, bytes };
  }

  /** Inserts documents within the running transaction, if there is one. */
  async insert(collection: string, documents: readonly ExactDocument[]): Promise<void> {
    if (documents.length === 0) return;
    const { session } = this.transactions;
    await this.database.collection(collection).insertMany([...documents], session ? { session } : {});
  }
}
