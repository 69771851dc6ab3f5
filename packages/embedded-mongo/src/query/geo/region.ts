import { formatValue, isDoc, isNumeric, toNumber } from '../../values/bson.js';
import type { Doc, Value } from '../../values/bson.js';
import { bad, flatPoint, isOnSphere, parseGeoJson, vectorAt } from './geojson.js';
import { angleToFarthest, angleToShape, liesIn, meets } from './geometry.js';
import type { Geometry, Polygon, Position } from './geometry.js';

/** What `$geoWithin` and `$geoIntersects` compare stored places with. */
export interface Region {
  /** Whether all of the place lies in the region. */
  contains: (place: Geometry) => boolean;
  /** Undefined for plane shapes, with which only `$geoWithin` works. */
  meets?: (place: Geometry) => boolean;
  /** False for lines and points, in which nothing can lie. */
  hasInside: boolean;
}

const planar = (contains: (at: Position) => boolean): Region => ({
  contains: ({ flat }) => flat !== undefined && contains(flat),
  hasInside: true,
});

const pair = (name: string, value: Value): [Value, Value, ...Value[]] => {
  const elements = Array.isArray(value) ? value : isDoc(value) ? Object.values(value) : [];
  const [a, b, ...rest] = elements;
  if (a === undefined || b === undefined) throw bad(`Point must be an array or object in ${name}`);
  return [a, b, ...rest];
};

const box = (value: Value): Region => {
  const [a, b] = pair('$box', value)
    .slice(0, 2)
    .map((corner) => flatPoint(corner));
  const [x1, y1] = a!;
  const [x2, y2] = b!;
  return planar(
    ([x, y]) =>
      x >= Math.min(x1, x2) && x <= Math.max(x1, x2) && y >= Math.min(y1, y2) && y <= Math.max(y1, y2),
  );
};

const onSegment = ([x, y]: Position, [x1, y1]: Position, [x2, y2]: Position): boolean =>
  Math.abs((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) <= 1e-12 &&
  x >= Math.min(x1, x2) &&
  x <= Math.max(x1, x2) &&
  y >= Math.min(y1, y2) &&
  y <= Math.max(y1, y2);

const planePolygon = (value: Value): Region => {
  const elements = Array.isArray(value) ? value : isDoc(value) ? Object.values(value) : undefined;
  if (!elements) throw bad('Polygon coordinates must be an array');
  const points = elements.map((corner) => flatPoint(corner));
  if (points.length < 3) throw bad('Polygon must have at least 3 points');
  return planar((at) => {
    let inside = false;
    for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
      const a = points[i]!;
      const b = points[j]!;
      if (onSegment(at, a, b)) return true;
      const between = a[1] > at[1] !== b[1] > at[1];
      if (between && at[0] < ((b[0] - a[0]) * (at[1] - a[1])) / (b[1] - a[1]) + a[0]) inside = !inside;
    }
    return inside;
  });
};

const circle = (name: string, value: Value): { centre: Position; radius: number } => {
  const [at, size, ...rest] = pair(name, value);
  const centre = flatPoint(at);
  if (!isNumeric(size)) throw bad('radius must be a non-negative number');
  const radius = toNumber(size);
  if (!(radius >= 0)) throw bad('radius must be a non-negative number');
  if (rest.length > 0) throw bad('Only 2 fields allowed for circular region');
  return { centre, radius };
};

const planeCircle = (value: Value): Region => {
  const { centre, radius } = circle('$center', value);
  return planar(([x, y]) => Math.hypot(x - centre[0], y - centre[1]) <= radius);
};

/** A circle on the sphere; its radius in radians. */
const sphereCircle = (value: Value): Region => {
  const { centre, radius } = circle('$centerSphere', value);
  if (!isOnSphere(centre)) throw bad('Spherical center point is out of bounds');
  const at = vectorAt(centre);
  return {
    contains: ({ shapes }) =>
      shapes.length > 0 && shapes.every((shape) => angleToFarthest(at, shape) <= radius),
    meets: ({ shapes }) => shapes.some((shape) => angleToShape(at, shape) <= radius),
    hasInside: true,
  };
};

const geometryRegion = (value: Value): Region => {
  if (!isDoc(value)) throw bad('unknown geo specifier: $geometry');
  const { shapes } = parseGeoJson(value);
  const polygons = shapes.filter((shape): shape is Polygon => shape.kind === 'polygon');
  return {
    contains: (place) =>
      place.shapes.length > 0 &&
      place.shapes.every((shape) => polygons.some((polygon) => liesIn(shape, polygon))),
    meets: (place) => place.shapes.some((shape) => shapes.some((own) => meets(shape, own))),
    hasInside: value.type === 'Polygon' || value.type === 'MultiPolygon',
  };
};

const specifiers: Record<string, (value: Value) => Region> = {
  $box: box,
  $polygon: planePolygon,
  $center: planeCircle,
  $centerSphere: sphereCircle,
  $geometry: geometryRegion,
};

/** The region of `{ [operator]: { $geometry | $box | … } }`, refused where the operator does not take it. */
export const parseRegion = (operator: string, operand: Value): Region => {
  if (!isDoc(operand)) throw bad('geometry must be an object');
  let region: Region | undefined;
  for (const [name, value] of Object.entries(operand)) {
    if (name === '$uniqueDocs') continue;
    if (region && operator === '$geoWithin') {
      throw bad(`$geoWithin doesn't accept multiple shapes ${operator}: ${formatValue(operand)}`);
    }
    const parse = Object.hasOwn(specifiers, name) ? specifiers[name] : undefined;
    if (!parse) throw bad(`unknown geo specifier: ${name}: ${formatValue(value)}`);
    region = parse(value);
  }
  if (!region) throw bad("geo query doesn't have any geometry");
  const shown = (): string => `{ ${operator}: ${formatValue(operand)} }`;
  if (operator === '$geoIntersects') {
    if (!region.meets) throw bad(`$geoIntersect not supported with provided geometry: ${shown()}`);
  } else if (!region.hasInside) throw bad(`$within not supported with provided geometry: ${shown()}`);
  return region;
};

export const regionTest = (operator: string, operand: Doc | Value): ((place: Geometry) => boolean) => {
  const region = parseRegion(operator, operand);
  const { meets: touches, contains } = region;
  return operator === '$geoIntersects' && touches ? touches : contains;
};
