import { formatValue, isDoc, isNumeric, toNumber } from '../../values/bson.js';
import type { Doc, Value } from '../../values/bson.js';
import { ServerError } from '../../values/errors.js';
import { bad, flatPoint, isOnSphere, looksLegacy, parseGeoJson, vectorAt } from './geojson.js';
import { angleToShape } from './geometry.js';
import type { Geometry, Position } from './geometry.js';
import { EARTH_RADIUS_METERS } from './sphere.js';

/** A parsed `$near` or `$nearSphere`: what lies between two distances of a point, in the unit of the query. */
export interface Near {
  /** How far a place is; undefined for one that cannot be compared. Metres, radians or units of the plane. */
  distance(place: Geometry): number | undefined;
  min: number;
  max: number;
  /** `geojson` needs a 2dsphere index, `plane` a 2d index; `legacySphere` works with both. */
  kind: 'geojson' | 'legacySphere' | 'plane';
  sphere: boolean;
}

const operators = new Set(['$near', '$nearSphere', '$geoNear']);

const distanceOption = (name: string, value: Value, codes?: { type: number; range: number }): number => {
  if (!isNumeric(value)) throw new ServerError(codes?.type ?? 'BadValue', `${name} must be a number`);
  const distance = toNumber(value);
  if (!(distance >= 0) || (!codes && distance === Infinity)) {
    throw new ServerError(codes?.range ?? 'BadValue', `${name} must be non-negative`);
  }
  return distance;
};

/** The angle to the nearest of a place's shapes, in radians times `unit`. */
export const sphereDistance = (centre: Position, unit: number): Near['distance'] => {
  const at = vectorAt(centre);
  return ({ shapes }) =>
    shapes.length === 0 ? undefined : Math.min(...shapes.map((shape) => angleToShape(at, shape))) * unit;
};

export const planeDistance =
  (centre: Position): Near['distance'] =>
  ({ flat }) =>
    flat && Math.hypot(flat[0] - centre[0], flat[1] - centre[1]);

const geoJsonNear = (centre: Position, min: number, max: number): Near => ({
  distance: sphereDistance(centre, EARTH_RADIUS_METERS),
  min,
  max,
  kind: 'geojson',
  sphere: true,
});

/** A point of the sphere in radians, or of the plane in its units. */
const legacyNear = (centre: Position, sphere: boolean, min: number, max: number): Near => {
  if (!sphere) return { distance: planeDistance(centre), min, max, kind: 'plane', sphere };
  if (!isOnSphere(centre)) throw bad('Legacy point is out of bounds for spherical query');
  return { distance: sphereDistance(centre, 1), min, max, kind: 'legacySphere', sphere };
};

const asPoint = (value: Value): { at: Position; geojson: boolean; max?: number } | undefined => {
  if (isDoc(value) && typeof value.type === 'string') {
    if (value.type !== 'Point') return undefined;
    const { flat } = parseGeoJson(value);
    return flat && { at: flat, geojson: true };
  }
  if (!looksLegacy(value)) return undefined;
  const elements = Array.isArray(value) ? value : Object.values(value as Doc);
  const third = elements[2];
  const at = flatPoint(elements.slice(0, 2));
  if (third === undefined) return { at, geojson: false };
  if (elements.length > 3 || !isNumeric(third)) return undefined;
  return { at, geojson: false, max: toNumber(third) };
};

const legacyPoint = (value: Value): ReturnType<typeof asPoint> => {
  try {
    return asPoint(value);
  } catch (error) {
    if (error instanceof ServerError) return undefined;
    throw error;
  }
};

const parseBeside = (name: string, operand: Value, all: Doc): Near | undefined => {
  if (!Array.isArray(operand) && !isDoc(operand)) return undefined;
  const point = legacyPoint(operand);
  if (!point) {
    if (isDoc(operand) && Object.hasOwn(operand, '$geometry')) return undefined;
    throw bad(`invalid point provided to geo near query: ${formatValue(operand)}`);
  }
  let max = point.max ?? Number.MAX_VALUE;
  let min = 0;
  if (!(max >= 0)) throw new ServerError(18522, 'max distance must be non-negative');
  for (const [option, value] of Object.entries(all)) {
    if (option === '$minDistance') min = distanceOption(option, value, { type: 16893, range: 16894 });
    else if (option === '$maxDistance') max = distanceOption(option, value, { type: 16895, range: 16896 });
    else if (!operators.has(option) && option !== '$uniqueDocs')
      throw new ServerError(34413, `invalid argument in geo near query: ${option}`);
  }
  return point.geojson
    ? geoJsonNear(point.at, min, max)
    : legacyNear(point.at, name === '$nearSphere', min, max);
};

const parseInside = (operand: Value, all: Doc): Near => {
  const extra = Object.keys(all).find((option) => !operators.has(option));
  if (extra !== undefined) {
    throw bad(
      `geo near accepts just one argument when querying for a GeoJSON point. Extra field found: ${extra}: ${formatValue(all[extra])}`,
    );
  }
  if (!isDoc(operand)) throw bad('geo near query argument is not an object');
  let centre: Position | undefined;
  let min = 0;
  let max = Number.MAX_VALUE;
  for (const [option, value] of Object.entries(operand)) {
    if (option === '$geometry') centre = geometryPoint(value);
    else if (option === '$minDistance') min = distanceOption(option, value);
    else if (option === '$maxDistance') max = distanceOption(option, value);
    else throw bad(`invalid argument in geo near query: ${option}`);
  }
  if (!centre) throw bad('$geometry is required for geo near query');
  return geoJsonNear(centre, min, max);
};

const geometryPoint = (value: Value): Position | undefined => {
  if (!isDoc(value) && !Array.isArray(value)) return undefined;
  if (!isDoc(value) || typeof value.type !== 'string') {
    throw bad(`$near requires geojson point, given ${formatValue(value)}`);
  }
  try {
    const { flat } = parseGeoJson(value);
    if (flat) return flat;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw bad(`invalid point in geo near query $geometry argument: ${formatValue(value)}  ${error.message}`);
  }
  throw bad(
    `invalid point in geo near query $geometry argument: ${formatValue(value)}  Point must be a GeoJSON point`,
  );
};

/** Parses `$near` and its kin; `all`: the operators that stand beside it, `$maxDistance` and `$minDistance` among them. */
export const parseNear = (name: string, operand: Value, all: Doc): Near =>
  parseBeside(name, operand, all) ?? parseInside(operand, all);

/** What `$geoNear`, the stage, asks for. */
export const stageNear = (
  near: Value,
  options: { spherical: boolean; min?: number | undefined; max?: number | undefined },
): Near => {
  const { spherical, min = 0, max = Number.MAX_VALUE } = options;
  if (!isDoc(near) && !Array.isArray(near)) {
    throw new ServerError(
      'TypeMismatch',
      '$geoNear requires near argument to be a GeoJSON object or a legacy point(array)',
    );
  }
  if (isDoc(near) && typeof near.type === 'string') {
    const { flat } = parseGeoJson(near);
    if (!flat) throw bad(`invalid argument in geo near query: type`);
    return geoJsonNear(flat, min, max);
  }
  return legacyNear(flatPoint(near, true), spherical, min, max);
};
