import type { FindSpec } from '../engine/types.js';
import {
  double,
  isDoc,
  isNumeric,
  newDoc,
  toNumber,
  typeName,
  type Doc,
  type Value,
} from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { metaOf } from '../values/meta.js';
import { isTruthy } from '../values/numbers.js';
import { constant, type PipelineContext } from './context.js';
import { mapping, type Stage } from './stream.js';

const gone: Record<string, { code: number; message: string }> = {
  limit: {
    code: 50858,
    message: "$geoNear no longer supports the 'limit' parameter. Use a $limit stage instead.",
  },
  num: {
    code: 50857,
    message: "$geoNear no longer supports the 'num' parameter. Use a $limit stage instead.",
  },
  start: { code: 50856, message: "$geoNear no longer supports the 'start' argument." },
  collation: {
    code: 40227,
    message:
      "$geoNear does not accept the 'collation' parameter. Instead, specify a collation for the entire aggregation command.",
  },
};

function distance(name: string, value: Value): Value {
  if (!isNumeric(value)) throw new ServerError('TypeMismatch', `${name} must be a number`);
  if (!(toNumber(value) >= 0)) throw new ServerError('BadValue', `${name} must be nonnegative`);
  return value;
}

/** The field of the collection's only geospatial index; a 2d index comes before a 2dsphere one. */
function indexedField({ engine, ns, op }: PipelineContext): string {
  const indexes = engine.collection(ns, op)?.indexes ?? [];
  for (const type of ['2d', '2dsphere']) {
    const fields = indexes.flatMap(({ key }) => Object.keys(key).filter((field) => key[field] === type));
    if (fields.length > 1) {
      throw new ServerError(
        'IndexNotFound',
        `There is more than one ${type} index on ${ns.db}.${ns.coll}; unsure which to use for $geoNear`,
      );
    }
    if (fields[0] !== undefined) return fields[0];
  }
  throw new ServerError('IndexNotFound', '$geoNear requires a 2d or 2dsphere index, but none were found');
}

function nearFilter(near: Value, spherical: boolean, limits: Doc): Doc {
  if (isDoc(near) && typeof near['type'] === 'string') {
    if (near['type'] !== 'Point')
      throw new ServerError('BadValue', 'invalid argument in geo near query: type');
    return { $near: { $geometry: near, ...limits } };
  }
  if (!isDoc(near) && !Array.isArray(near)) {
    throw new ServerError(
      'TypeMismatch',
      '$geoNear requires near argument to be a GeoJSON object or a legacy point(array)',
    );
  }
  return { [spherical ? '$nearSphere' : '$near']: near, ...limits };
}

function put(doc: Doc, path: string, value: Value): void {
  const names = path.split('.');
  let at = doc;
  for (const name of names.slice(0, -1)) {
    const inner = at[name];
    const copy = Object.assign<Doc, Doc>(newDoc(), isDoc(inner) ? inner : {});
    at[name] = copy;
    at = copy;
  }
  at[names.at(-1)!] = value;
}

function fieldName(name: string, value: Value, code: number): string {
  if (typeof value !== 'string' || value === '')
    throw new ServerError(code, `$geoNear requires a '${name}' option as a String`);
  return value;
}

/** The query that `$geoNear` asks the engine, and the stage that adds distance and place to its documents. */
export function geoNear(spec: Value, context: PipelineContext): { find: FindSpec; show: Stage } {
  if (!isDoc(spec)) throw new ServerError(10065, `invalid parameter: expected an object ($geoNear)`);
  for (const name of Object.keys(spec)) {
    const refusal = Object.hasOwn(gone, name) ? gone[name] : undefined;
    if (refusal) throw new ServerError(refusal.code, refusal.message);
  }
  if (spec['near'] === undefined) throw new ServerError(5860400, "$geoNear requires a 'near' argument");
  const distanceField =
    spec['distanceField'] === undefined
      ? undefined
      : fieldName('distanceField', spec['distanceField'], 16606);
  if (distanceField === undefined)
    throw new ServerError(16606, "$geoNear requires a 'distanceField' option as a String");
  const includeLocs =
    spec['includeLocs'] === undefined ? undefined : fieldName('includeLocs', spec['includeLocs'], 16607);
  const { query = {}, key } = spec;
  if (!isDoc(query)) throw new ServerError('TypeMismatch', 'query must be an object');
  if (key !== undefined && typeof key !== 'string')
    throw new ServerError(
      'TypeMismatch',
      `$geoNear parameter 'key' must be of type string but found type: ${typeName(key)}`,
    );
  const limits: Doc = newDoc();
  for (const name of ['minDistance', 'maxDistance']) {
    if (spec[name] !== undefined) limits[`$${name}`] = distance(name, constant(spec[name], context));
  }
  const multiplier =
    spec['distanceMultiplier'] === undefined
      ? 1
      : toNumber(distance('distanceMultiplier', spec['distanceMultiplier']));
  const near = nearFilter(constant(spec['near'], context), isTruthy(spec['spherical'] ?? false), limits);
  const filter = { $and: [query, { [key ?? indexedField(context)]: near }] };
  const show = mapping((doc) => {
    const meta = metaOf(doc);
    const shown = Object.assign<Doc, Doc>(newDoc(), doc);
    put(shown, distanceField, double((meta?.geoNearDistance ?? 0) * multiplier));
    if (includeLocs !== undefined) put(shown, includeLocs, meta?.geoNearPoint ?? null);
    return shown;
  });
  return { find: { filter, withMeta: true }, show };
}
