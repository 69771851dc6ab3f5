import { isDoc, isNumeric, newDoc, toNumber } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';
import { languageOf } from '../query/text/language.js';
import type { IndexSpec } from './types.js';

export type IndexKind = 'plain' | 'hashed' | 'text' | '2d' | '2dsphere' | 'wildcard';

const plugins: ReadonlySet<string> = new Set(['hashed', 'text', '2d', '2dsphere']);
const MAX_WEIGHT = 100_000;
const TEXT_VERSION = 3;
const SPHERE_VERSION = 3;

const cannotCreate = (message: string): ServerError => new ServerError('CannotCreateIndex', message);

/** Throws for the name of an index type that is none. */
export const checkPlugin = (name: string): void => {
  if (name === 'geoHaystack')
    throw cannotCreate('GeoHaystack indexes cannot be created in version 5.0 and above');
  if (!plugins.has(name)) throw cannotCreate(`Unknown index plugin '${name}'`);
};

/** True for `$**` and `path.$**`. */
export const isWildcardField = (field: string): boolean => field === '$**' || field.endsWith('.$**');

/** What kind of index a key pattern asks for. */
export const kindOfKey = (key: Doc): IndexKind => {
  let kind: IndexKind = 'plain';
  for (const field of Object.keys(key)) {
    const value = key[field];
    if (typeof value === 'string') kind = value as IndexKind;
    else if (kind === 'plain' && isWildcardField(field)) kind = 'wildcard';
  }
  return kind;
};

/** Checks what the kind of an index demands, and fills in its defaults. */
export const completeSpecial = (spec: IndexSpec, kind: IndexKind, given: Doc): void => {
  const types = new Set(Object.values(spec.key).filter((value) => typeof value === 'string'));
  if (types.size > 1) throw cannotCreate("Can't use more than one index plugin for a single index.");
  if (spec.wildcardProjection && kind !== 'wildcard') {
    throw new ServerError(
      'BadValue',
      "The field 'wildcardProjection' is only allowed in an 'wildcard' index",
    );
  }
  switch (kind) {
    case 'hashed':
      return checkHashed(spec);
    case '2dsphere':
      spec['2dsphereIndexVersion'] = SPHERE_VERSION;
      return;
    case '2d':
      return checkPlane(spec);
    case 'wildcard':
      return checkWildcard(spec);
    case 'text':
      return completeText(spec, given);
    default:
  }
};

const checkHashed = (spec: IndexSpec): void => {
  const hashed = Object.values(spec.key).filter((value) => value === 'hashed').length;
  if (hashed > 1) {
    throw new ServerError(
      31303,
      `A maximum of one index field is allowed to be hashed but found ${hashed} for 'key' ${formatDoc(spec.key)}`,
    );
  }
  if (spec.unique) {
    throw new ServerError(
      16764,
      'Currently hashed indexes cannot guarantee uniqueness. Use a regular index.',
    );
  }
};

const checkPlane = (spec: IndexSpec): void => {
  const types = Object.values(spec.key);
  if (types.filter((type) => type === '2d').length > 1)
    throw new ServerError(16800, "can't have 2 geo fields");
  if (types[0] !== '2d') throw new ServerError(16801, '2d has to be first in index');
  const { bits = 26, min = -180, max = 180 } = spec;
  if (!(bits >= 1 && bits <= 32))
    throw new ServerError(
      'InvalidOptions',
      `bits for hash must be > 0 and <= 32, but ${bits} bits were specified`,
    );
  if (!(min < max)) {
    throw new ServerError(
      'InvalidOptions',
      `region for hash must be valid and have positive area, but [${min}, ${max}] was specified`,
    );
  }
};

const checkWildcard = (spec: IndexSpec): void => {
  const fields = Object.keys(spec.key);
  if (fields.length > 1) {
    throw new ServerError(
      'CommandNotSupported',
      'compound wildcard indexes are not supported by this server',
    );
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

/** Puts `_fts` and `_ftsx` in the place of the texts, and the texts into the weights. */
const completeText = (spec: IndexSpec, given: Doc): void => {
  const weights = new Map<string, number>();
  const key = newDoc();
  let passed: 'before' | 'texts' | 'after' = 'before';
  for (const [field, value] of Object.entries(spec.key)) {
    if (field === '_ftsx') {
      key._ftsx = 1;
      continue;
    }
    if (value === 'text') {
      if (passed === 'after') throw new ServerError(17389, "'text' fields in index must all be adjacent");
      passed = 'texts';
      key._fts = 'text';
      key._ftsx = 1;
      if (field !== '_fts') weights.set(field, 1);
      continue;
    }
    if (passed === 'texts') passed = 'after';
    if (field === '_fts') {
      throw new ServerError(17289, 'text index with reserved fields _fts/_ftsx not allowed');
    }
    if (!isNumeric(value) || Math.abs(toNumber(value)) !== 1) {
      throw new ServerError(17273, 'expected value 1 or -1 for non-text key in compound index');
    }
    key[field] = value;
  }
  readWeights(given, weights);
  spec.key = key;
  spec.weights = newDoc();
  for (const path of [...weights.keys()].sort()) {
    const weight = weights.get(path)!;
    if (!(weight > 0 && weight < MAX_WEIGHT)) throw new ServerError(16674, 'score for word too high');
    spec.weights[path] = weight;
  }
  if (weights.size === 0) throw cannotCreate('text index needs at least one field');
  completeLanguage(spec, given);
};

const readWeights = ({ weights: given }: Doc, weights: Map<string, number>): void => {
  if (given === '$**') weights.set('$**', 1);
  else if (isDoc(given)) {
    for (const [path, weight] of Object.entries(given)) {
      if (!isNumeric(weight)) throw new ServerError(17283, 'weight for text index needs numeric type');
      weights.set(path, Math.trunc(toNumber(weight)));
    }
  } else if (given !== undefined) {
    throw new ServerError(17284, "text index option 'weights' must be an object");
  }
};

const completeLanguage = (spec: IndexSpec, given: Doc): void => {
  const { default_language: language = 'english', language_override: override = 'language' } = given;
  if (typeof language !== 'string' || !languageOf(language)) {
    throw new ServerError(17264, 'default_language is not valid');
  }
  if (typeof override !== 'string' || override === '' || override.startsWith('$') || override.includes('.')) {
    throw new ServerError(17136, 'language_override is not valid');
  }
  const version = given.textIndexVersion;
  if (version !== undefined && !(isNumeric(version) && [1, 2, 3].includes(toNumber(version)))) {
    throw new ServerError(16730, `bad textIndexVersion: ${String(version)}`);
  }
  spec.default_language = language;
  spec.language_override = override;
  spec.textIndexVersion = TEXT_VERSION;
};
