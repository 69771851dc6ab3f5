import { nearestPlace } from '../query/geo/nearest.js';
import type { NearNode, TextNode } from '../query/placement.js';
import { textMatcher } from '../query/text/search.js';
import type { Doc } from '../values/bson.js';
import { toNumber } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';
import { metaOf, setMeta } from '../values/meta.js';
import type { Collection } from './catalog.js';
import type { StoredDocument } from './stored-document.js';

interface Asked {
  sort?: Doc;
  hint?: string | Doc;
}

const bad = (message: string): ServerError => new ServerError('BadValue', message);

const hasNatural = (spec: string | Doc | undefined): boolean =>
  spec === '$natural' || (typeof spec === 'object' && Object.hasOwn(spec, '$natural'));

/** Refuses `$natural` beside other fields, and a sort and a hint by it that contradict each other. */
export const checkNatural = ({ sort, hint }: Asked): void => {
  if (sort && hasNatural(sort)) {
    if (Object.keys(sort).length > 1)
      throw bad(`Cannot include '$natural' in compound sort: ${formatDoc(sort)}`);
    if (hint !== undefined && !hasNatural(hint)) throw bad('index hint not allowed with $natural sort order');
  }
  if (typeof hint !== 'object' || !hasNatural(hint)) return;
  if (Object.keys(hint).length > 1)
    throw bad(`Cannot include '$natural' in compound hint: ${formatDoc(hint)}`);
  if (sort && hasNatural(sort) && toNumber(sort.$natural) !== toNumber(hint.$natural)) {
    throw bad('$natural hint must be in the same direction as $natural sort order');
  }
};

export const checkTextQuery = ({ sort, hint }: Asked): void => {
  if (hasNatural(sort)) throw bad('text expression not allowed with $natural sort order');
  if (hint !== undefined) throw bad('text and hint not allowed in same query');
};

/** `$near` needs an index of its kind on its field, though documents are found without one. */
export const requireGeoIndex = (collection: Collection, { near, path }: NearNode, asked: Asked): void => {
  if (hasNatural(asked.sort)) throw bad('geoNear expression not allowed with $natural sort order');
  if (hasNatural(asked.hint)) throw bad('geoNear expression not allowed with $natural hint');
  const types = near.kind === 'geojson' ? ['2dsphere'] : near.kind === 'plane' ? ['2d'] : ['2dsphere', '2d'];
  const found = collection.indexes.some(
    ({ spec, readyAt }) => readyAt !== undefined && types.some((type) => spec.key[path] === type),
  );
  if (found) return;
  const max = near.max === Number.MAX_VALUE ? '1.79769e+308' : String(near.max);
  throw new ServerError(
    'NoQueryExecutionPlans',
    `error processing query: ns=${collection.name}Tree: GEONEAR  field=${path} maxdist=${max} isNearSphere=${near.kind === 'legacySphere' ? 1 : 0}\nSort: ${formatDoc(asked.sort ?? {})}\nProj: {}\n planner returned error :: caused by :: unable to find index for $geoNear query`,
  );
};

export const nearAnnotation =
  ({ near, path }: NearNode) =>
  (document: StoredDocument): void => {
    const nearest = nearestPlace(near, path, document.doc);
    if (!nearest) return;
    setMeta(document.doc, {
      ...metaOf(document.doc),
      geoNearDistance: nearest.distance,
      geoNearPoint: nearest.place,
    });
  };

/** The score is computed when something asks for it. */
export const textAnnotation = (
  collection: Collection,
  node: TextNode,
): ((document: StoredDocument) => void) | undefined => {
  const spec = collection.indexes.find((index) => index.text && index.readyAt !== undefined)?.text;
  if (!spec) return undefined;
  const search = textMatcher(spec, node.query);
  return ({ doc }) => {
    let score: number | undefined;
    setMeta(doc, {
      get textScore() {
        return (score ??= search.score(doc) ?? 0);
      },
    });
  };
};
