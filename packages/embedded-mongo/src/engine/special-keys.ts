import { parseStored } from '../query/geo/geojson.js';
import { indexedTexts, termScores } from '../query/text/spec.js';
import { isDoc, isNumeric, toNumber } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';
import { getPath, indexKeyValues } from '../values/path.js';
import type { Index } from './index-definition.js';
import { wildcardKeys } from './wildcard.js';

interface Keys {
  keys: Value[][];
  multikey: boolean;
}

const NONE: Keys = { keys: [], multikey: false };

/**
 * The keys of a document in an index that is not on plain values; undefined when they are made as those of a plain one.
 * Throws for a document that such an index cannot hold. Geospatial indexes check places and hold no keys.
 */
export const specialKeys = (index: Index, doc: Doc): Keys | undefined => {
  switch (index.kind) {
    case '2dsphere':
      for (const path of geoPaths(index, '2dsphere')) checkSphere(doc, path);
      return NONE;
    case '2d':
      for (const path of geoPaths(index, '2d')) checkPlane(index, doc, path);
      return NONE;
    case 'text':
      return textKeys(index, doc);
    case 'wildcard':
      return index.wildcard && wildcardKeys(index.wildcard, doc);
    case 'hashed':
      refuseArrays(index, doc);
      return undefined;
    default:
      return undefined;
  }
};

const geoPaths = (index: Index, type: string): string[] =>
  index.fields.filter((field) => index.spec.key[field] === type);

const isEmpty = (value: Value): boolean =>
  value === null ||
  value === undefined ||
  (Array.isArray(value) && value.length === 0) ||
  (isDoc(value) && Object.keys(value).length === 0);

const checkSphere = (doc: Doc, path: string): void => {
  for (const value of getPath(doc, path)) {
    if (isEmpty(value)) continue;
    try {
      parseStored(value);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      throw new ServerError(16755, `Can't extract geo keys: ${formatDoc(doc)}  ${error.message}`);
    }
  }
};

const checkPlane = (index: Index, doc: Doc, path: string): void => {
  for (const value of getPath(doc, path)) {
    if (value === null || value === undefined) continue;
    if (!Array.isArray(value) && !isDoc(value)) {
      throw new ServerError(
        16804,
        `location object expected, location array not in correct format :: caused by :: ${formatDoc(doc)}`,
      );
    }
    const elements = Object.values<Value>(value);
    if (elements.length === 0) continue;
    const several = elements.every((element) => Array.isArray(element) || isDoc(element));
    for (const pair of several ? elements : [value]) checkPair(index, doc, pair);
  }
};

const checkPair = (index: Index, doc: Doc, pair: Value): void => {
  const cause = ` :: caused by :: ${formatDoc(doc)}`;
  const values = Object.values<Value>(pair as Doc | Value[]);
  if (values.length === 0) return;
  if (values.length === 1) throw new ServerError(13068, `geo field only has 1 element${cause}`);
  const [x, y] = values;
  if (!isNumeric(x) || !isNumeric(y)) {
    throw new ServerError(13026, `geo values must be 'legacy coordinate pairs' for 2d indexes${cause}`);
  }
  const { min = -180, max = 180 } = index.spec;
  for (const value of [x, y]) {
    const number = toNumber(value);
    if (number >= min && number <= max) continue;
    throw new ServerError(13027, `point not in interval of [ ${min}, ${max} ]${cause}`);
  }
};

/** One key per term, behind the values of the fields before the texts. */
const textKeys = (index: Index, doc: Doc): Keys => {
  const { text } = index;
  if (!text) return NONE;
  const terms = [...termScores(indexedTexts(text, doc)).keys()];
  const before = index.fields.slice(0, -1);
  if (before.length === 0) return { keys: terms.map((term) => [term]), multikey: terms.length > 1 };
  const { keys, multikey } = indexKeyValues(doc, before);
  if (multikey) {
    throw new ServerError(
      16675,
      `cannot have a multi-key as a prefix to a text index (${before.join(', ')})`,
    );
  }
  return { keys: terms.map((term) => [...keys[0]!, term]), multikey: terms.length > 1 };
};

const refuseArrays = (index: Index, doc: Doc): void => {
  for (const field of index.fields) {
    if (index.spec.key[field] !== 'hashed') continue;
    const value = getPath(doc, field);
    const throughArray = indexKeyValues(doc, [field]).multikey;
    if (!throughArray && !value.some(Array.isArray)) continue;
    throw new ServerError(
      16766,
      `hashed indexes do not currently support array values. Found array at path: ${field}`,
    );
  }
};
