import { isDeepStrictEqual } from 'node:util';

const asJson = (value: object): unknown => JSON.parse(JSON.stringify(value));

/**
 * Whether two values have the same JSON. The order of keys, members that are `undefined` and the sign of zero
 * make no difference, because the database does not keep them.
 */
export const sameJson = (a: object, b: object): boolean => isDeepStrictEqual(asJson(a), asJson(b));
