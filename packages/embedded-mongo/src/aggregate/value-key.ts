import { ObjectId } from 'bson';
import type { Value } from '../values/bson.js';
import type { Collation } from '../values/compare.js';
import { encodeKey } from '../values/key.js';

/**
 * Returns a string that is the same for two values exactly when they are equal in BSON order. For example, 1,
 * 1.0 and NumberLong(1) have the same key.
 */
export function valueKey(value: Value, collation?: Collation): string {
  if (typeof value === 'string' && !collation) return `s${value}`;
  if (value instanceof ObjectId) return `o${value.toHexString()}`;
  return `k${Buffer.from(encodeKey([value], [1], collation)).toString('latin1')}`;
}
