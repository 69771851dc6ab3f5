import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, mongo } from 'mongoose';
import { duplicateKeyFields } from './errors.js';
import type { UnitOfWork } from './unit-of-work.js';

/** A unique index refused an insert. */
export class DuplicateKeyError extends Error {
  constructor(
    readonly collection: string,
    readonly fields: string[],
  ) {
    super(`a document of ${collection} with the same ${fields.join(', ')} exists`);
  }
}

/** Stand-in: inserts each document by itself. */
@Injectable()
export class GroupCommit {
  constructor(@InjectConnection() private readonly connection: Connection) {}

  async commit<T>(unit: UnitOfWork<T>): Promise<T> {
    const inserts: [string, mongo.Document][] = [];
    const refuse = (): never => {
      throw new Error('not built yet');
    };
    const result = unit.write({
      stamp: new Date(),
      get: refuse,
      set: refuse,
      compareAndSet: refuse,
      insert: (collection, document) => void inserts.push([collection, document]),
    });
    for (const [collection, document] of inserts)
      try {
        await this.connection.db?.collection(collection).insertOne(document);
      } catch (error) {
        const fields = duplicateKeyFields(error);
        throw fields ? new DuplicateKeyError(collection, fields) : error;
      }
    return result;
  }
}
