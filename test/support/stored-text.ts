import type { Redis } from 'ioredis';
import { mongo } from 'mongoose';
import type { TestDatabase } from './database.js';

/** The collections of which a document contains the text, whatever its fields are called. */
export async function collectionsWith(database: TestDatabase, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await database.collectionNames()) {
    const documents = await database.collection(name).find().toArray();
    if (documents.some((document) => mongo.BSON.EJSON.stringify(document).includes(text))) found.push(name);
  }
  return found;
}

/** The keys of Redis with the prefix whose name or value contains the text. */
export async function redisKeysWith(redis: Redis, prefix: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const key of await redis.keys(`${prefix}*`)) {
    // The serialized value of any type; small values are not compressed.
    const value = await redis.dumpBuffer(key);
    if (key.includes(text) || value?.includes(text)) found.push(key);
  }
  return found;
}
