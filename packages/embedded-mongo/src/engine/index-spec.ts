import { BsonType, isDoc, isNumeric, toNumber, typeName, typeNumber, withoutMarks } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { equalValues, parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';
import type { Collection } from './catalog.js';
import { checkKind, isWildcardField, refusedType } from './index-kinds.js';
import { checkPartialFilter } from './partial-filter.js';
import { sameKeyPattern } from './planner.js';
import type { IndexSpec } from './types.js';

const MAX_FIELDS = 32;
/** Options that are accepted and have no effect. */
const ignoredOptions = new Set(['ns', 'dropDups', 'storageEngine', 'v', 'prepareUnique']);

const cannotCreate = (message: string): ServerError => new ServerError('CannotCreateIndex', message);

/** Parses an entry of createIndexes and applies defaults. Throws if it is invalid or not supported. */
export const parseIndexSpec = (given: Doc, collection: { options: Doc }): IndexSpec => {
  const { key } = given;
  if (!isDoc(key))
    throw new ServerError(
      'FailedToParse',
      "The 'key' field is a required property of an index specification",
    );
  checkKey(key);
  const name = given.name ?? nameOfKey(key);
  if (typeof name !== 'string' || name === '') {
    throw new ServerError(
      'FailedToParse',
      "The 'name' field of an index specification must be a non-empty string",
    );
  }
  const spec: IndexSpec = { v: 2, key, name };
  for (const [option, value] of Object.entries(given)) applyOption(spec, option, value);
  const inherited = collection.options.collation as Doc | undefined;
  const collation = parseCollation((given.collation as Doc | undefined) ?? inherited);
  if (collation) spec.collation = collation.spec;
  if (spec.sparse && spec.partialFilterExpression) {
    throw cannotCreate('cannot mix "partialFilterExpression" and "sparse" options');
  }
  if (spec.expireAfterSeconds !== undefined && Object.keys(key).length > 1) {
    throw cannotCreate(
      `TTL indexes are single-field indexes, compound indexes do not support TTL. Index spec: ${formatDoc(given)}`,
    );
  }
  checkKind(spec);
  return isIdKey(key) ? { v: 2, key: { _id: 1 }, name: '_id_' } : spec;
};

const checkKey = (key: Doc): void => {
  const fields = Object.keys(key);
  if (fields.length === 0) throw cannotCreate('Index keys cannot be an empty object.');
  if (fields.length > MAX_FIELDS) throw new ServerError(13103, 'too many compound keys');
  for (const field of fields) {
    const value = key[field];
    if (typeof value === 'string') throw refusedType(value);
    if (!isNumeric(value) || !(toNumber(value) !== 0)) {
      throw cannotCreate(
        `Values in v:2 index key pattern cannot be of type ${typeName(value)}. Only numbers > 0, numbers < 0, and strings are allowed.`,
      );
    }
    if (field === '' || field.split('.').includes(''))
      throw cannotCreate('Index keys cannot contain an empty field.');
    if (isWildcardField(field)) continue;
    if (field.split('.').some((part) => part.startsWith('$') && !['$id', '$ref', '$db'].includes(part))) {
      throw cannotCreate(`Index key contains an illegal field name: field name starts with '$'.`);
    }
  }
};

const applyOption = (spec: IndexSpec, option: string, value: Value): void => {
  switch (option) {
    case 'unique':
    case 'sparse':
    case 'hidden':
      if (isTruthy(value)) spec[option] = true;
      return;
    case 'background':
      if (value !== undefined && value !== null) spec.background = isTruthy(value);
      return;
    case 'partialFilterExpression':
      if (!isDoc(value)) throw new ServerError('TypeMismatch', "'partialFilterExpression' must be an object");
      checkPartialFilter(value);
      spec.partialFilterExpression = value;
      return;
    case 'expireAfterSeconds':
      spec.expireAfterSeconds = expirySeconds(value);
      return;
    case 'wildcardProjection':
      if (!isDoc(value))
        throw new ServerError('TypeMismatch', "The field 'wildcardProjection' must be a non-empty object");
      spec.wildcardProjection = value;
      return;
    case 'key':
    case 'name':
    case 'collation':
      return;
    default:
      if (ignoredOptions.has(option)) return;
      throw new ServerError(197, `The field '${option}' is not valid for an index specification.`, {
        codeName: 'InvalidIndexSpecificationOption',
      });
  }
};

export const expirySeconds = (value: Value): number => {
  const seconds = isNumeric(value) ? toNumber(value) : NaN;
  if (!(seconds >= 0 && seconds <= 2_147_483_647)) {
    throw cannotCreate("TTL index 'expireAfterSeconds' option must be within an acceptable range");
  }
  return Math.floor(seconds);
};

const isTruthy = (value: Value): boolean => {
  if (typeNumber(value) === BsonType.bool) return value === true;
  return isNumeric(value) && toNumber(value) !== 0;
};

export const nameOfKey = (key: Doc): string =>
  Object.entries(key)
    .map(([field, direction]) => `${field}_${isNumeric(direction) ? toNumber(direction) : String(direction)}`)
    .map(withoutMarks)
    .join('_');

const isIdKey = (key: Doc): boolean => sameKeyPattern(key, { _id: 1 });

/**
 * Returns true if the index already exists. Throws if its name belongs to a different index or if it exists
 * under another name.
 */
export const alreadyExists = (collection: Collection, spec: IndexSpec): boolean => {
  const existing = collection.indexes.map((index) => index.spec);
  const named = existing.find(({ name }) => name === spec.name);
  if (named) {
    if (!sameSignature(named, spec)) {
      throw new ServerError(
        'IndexKeySpecsConflict',
        `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: ${shown(spec)}, existing index: ${shown(named)}`,
      );
    }
    if (sameOptions(named, spec)) return true;
    throw new ServerError(
      'IndexOptionsConflict',
      `An equivalent index already exists with the same name but different options. Requested index: ${shown(spec)}, existing index: ${shown(named)}`,
    );
  }
  const same = existing.find((other) => sameSignature(other, spec));
  if (!same) return false;
  throw new ServerError(
    'IndexOptionsConflict',
    sameOptions(same, spec)
      ? `Index already exists with a different name: ${same.name}`
      : `An equivalent index already exists with a different name and options. Requested index: ${shown(spec)}, existing index: ${shown(same)}`,
  );
};

/** Whether two indexes of a collection are the same apart from their names and options. */
const sameSignature = (a: IndexSpec, b: IndexSpec): boolean =>
  sameKeyPattern(a.key, b.key) &&
  sameDoc(a.collation, b.collation) &&
  sameDoc(a.wildcardProjection, b.wildcardProjection) &&
  sameDoc(a.partialFilterExpression, b.partialFilterExpression) &&
  (a.unique ?? false) === (b.unique ?? false) &&
  (a.sparse ?? false) === (b.sparse ?? false);

/** Whether two indexes on the same key have the same options. */
const sameOptions = (a: IndexSpec, b: IndexSpec): boolean => a.expireAfterSeconds === b.expireAfterSeconds;

const sameDoc = (a: Doc | undefined, b: Doc | undefined): boolean => (a && b ? equalValues(a, b) : a === b);

const shown = (spec: IndexSpec): string => formatDoc({ ...spec });
