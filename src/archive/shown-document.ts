import { mongo } from 'mongoose';
import { encodeExactly, type ExactDocument } from '../database/index.js';

/** A stored document as JSON for people: ids are strings, dates ISO 8601, binary values base64. */
export function shown(document: ExactDocument): object {
  const { _id, ...rest } = mongo.BSON.deserialize(encodeExactly(document));
  return JSON.parse(
    JSON.stringify({ id: _id as unknown, ...rest }, (_key, value: unknown) =>
      value instanceof mongo.BSON.Binary ? value.toString('base64') : value,
    ),
  ) as object;
}
