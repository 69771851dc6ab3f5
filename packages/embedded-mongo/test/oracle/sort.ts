import type { Doc, Value } from '../../src/values/types.js';
import { compare, type Found, NOTHING } from './order.js';

/**
 * A reference implementation of sort keys, without regard to speed. An array sorts by its lowest element in
 * ascending order and by its highest in descending order, an empty array before null, and a missing field as
 * null. Supports paths of one name, or of two names if the first value is not an array.
 */
export const sortValue = (doc: Doc, path: string, direction: number): Found => {
  let value: Found = doc;
  for (const name of path.split('.')) {
    const fields: Doc | undefined =
      typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
        ? (value as Doc)
        : undefined;
    value = fields && Object.hasOwn(fields, name) ? fields[name] : NOTHING;
  }
  if (value === NOTHING) return null;
  if (!Array.isArray(value)) return value;
  const elements: Value[] = [...value].sort((a, b) => compare(a, b) * direction);
  return elements.length === 0 ? undefined : elements[0];
};

export const sortNaively = (docs: readonly Doc[], sort: readonly [string, number][]): Doc[] =>
  [...docs].sort((a, b) => {
    for (const [path, direction] of sort) {
      const order = compare(sortValue(a, path, direction), sortValue(b, path, direction)) * direction;
      if (order !== 0) return order;
    }
    return 0;
  });
