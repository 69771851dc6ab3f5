import { BsonType, double, isDoc, long, typeNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { metaOf } from '../values/meta.js';
import type { DocMeta } from '../values/meta.js';
import { fail, typeText } from './scope.js';
import type { Operators } from './scope.js';

const readers: Record<string, (meta: DocMeta) => Value> = {
  textScore: ({ textScore }) => (textScore === undefined ? undefined : double(textScore)),
  geoNearDistance: ({ geoNearDistance }) =>
    geoNearDistance === undefined ? undefined : double(geoNearDistance),
  geoNearPoint: ({ geoNearPoint }) => geoNearPoint,
  recordId: ({ recordId }) => (recordId === undefined ? undefined : long(recordId)),
  indexKey: ({ indexKey }) => indexKey,
  sortKey: ({ sortKey }) => sortKey,
  randVal: () => double(Math.random()),
  // What only Atlas Search sets.
  score: () => undefined,
  scoreDetails: () => undefined,
  searchHighlights: () => undefined,
  searchScore: () => undefined,
  searchScoreDetails: () => undefined,
  searchSequenceToken: () => undefined,
  vectorSearchScore: () => undefined,
};

/** `$meta`: what the query that found the document knows of it. */
export const metaOperators: Operators = {
  $meta: (operand) => {
    if (typeNumber(operand) !== BsonType.string)
      throw fail(17307, `$meta only supports string arguments, not ${typeText(operand)}`);
    const name = operand as string;
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (!read) throw fail(17308, `Unsupported argument to $meta: ${name}`);
    return ({ root }) => {
      const meta = isDoc(root) ? metaOf(root) : undefined;
      return meta && read(meta);
    };
  },
};

const unavailable: Record<string, string> = {
  textScore: 'query requires text score metadata, but it is not available',
  geoNearDistance: 'query requires $geoNear distance metadata, but it is not available',
  geoNearPoint: 'query requires $geoNear point metadata, but it is not available',
};

/** What `{ $meta: … }` is asked for anywhere in a specification. */
export const metaWanted = (spec: Value, found = new Set<string>()): Set<string> => {
  if (Array.isArray(spec)) for (const item of spec) metaWanted(item, found);
  else if (isDoc(spec)) {
    for (const [name, value] of Object.entries(spec)) {
      if (name === '$meta' && typeof value === 'string') found.add(value);
      else metaWanted(value, found);
    }
  }
  return found;
};

/** Refuses metadata that the query does not give (40218). */
export const checkMetaAvailable = (
  wanted: ReadonlySet<string>,
  query: { text: boolean; near: boolean },
): void => {
  for (const name of wanted) {
    const given = name === 'textScore' ? query.text : query.near;
    const message = Object.hasOwn(unavailable, name) ? unavailable[name] : undefined;
    if (message !== undefined && !given) throw new ServerError(40218, message);
  }
};
