import { toNumber } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { ServerError, unsupported } from '../values/errors.js';
import type { IndexSpec } from './types.js';

/** Index types of MongoDB that this store does not support. */
const refused: ReadonlySet<string> = new Set(['hashed', 'text', '2d', '2dsphere']);

const cannotCreate = (message: string): ServerError => new ServerError('CannotCreateIndex', message);

/** Creates the error for an unsupported index type. */
export const refusedType = (name: string): ServerError => {
  if (name === 'geoHaystack')
    return cannotCreate('GeoHaystack indexes cannot be created in version 5.0 and above');
  return refused.has(name)
    ? unsupported(`an index of type '${name}'`)
    : cannotCreate(`Unknown index plugin '${name}'`);
};

/** True for `$**` and `path.$**`. */
export const isWildcardField = (field: string): boolean => field === '$**' || field.endsWith('.$**');

export const isWildcardKey = (key: Doc): boolean => Object.keys(key).some(isWildcardField);

/** Throws if an option is not allowed for this kind of index. */
export const checkKind = (spec: IndexSpec): void => {
  if (isWildcardKey(spec.key)) checkWildcard(spec);
  else if (spec.wildcardProjection) {
    throw new ServerError(
      'BadValue',
      "The field 'wildcardProjection' is only allowed in an 'wildcard' index",
    );
  }
};

const checkWildcard = (spec: IndexSpec): void => {
  const fields = Object.keys(spec.key);
  if (fields.length > 1) {
    throw unsupported('a compound wildcard index');
  }
  if (!(toNumber(spec.key[fields[0]!]) > 0))
    throw cannotCreate('A numeric value in a $** index key pattern must be positive.');
  if (spec.unique) throw cannotCreate("Index type 'wildcard' does not support the unique option");
  if (spec.sparse) throw cannotCreate("Index type 'wildcard' does not support the sparse option");
  if (spec.expireAfterSeconds !== undefined)
    throw cannotCreate("Index type 'wildcard' cannot be a TTL index");
  if (!spec.wildcardProjection) return;
  if (fields[0] !== '$**') {
    throw new ServerError(
      'FailedToParse',
      "The field 'wildcardProjection' is only allowed when 'key' is {\"$**\": ±1}",
    );
  }
  if (Object.keys(spec.wildcardProjection).length === 0) {
    throw new ServerError('FailedToParse', "The 'wildcardProjection' field can't be an empty object");
  }
};
