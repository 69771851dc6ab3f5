import { formatValue, isDoc, isNumeric, toNumber, typeName } from '../../values/bson.js';
import type { Doc, Value } from '../../values/bson.js';
import { ServerError } from '../../values/errors.js';
import type { Geometry, Position, Shape } from './geometry.js';
import { arcsCross, Ring, samePoint, toVector } from './sphere.js';
import type { Vector } from './sphere.js';

export const bad = (message: string): ServerError => new ServerError('BadValue', message);

const typeText = (value: Value): string => (value === undefined ? 'missing' : typeName(value));

/** A number as the server prints coordinates: six significant digits. */
export const shortNumber = (value: number): string => String(Number(value.toPrecision(6)));

const elementsOf = (value: Value): Value[] | undefined => {
  if (Array.isArray(value)) return value;
  return isDoc(value) ? Object.values(value) : undefined;
};

/** Two numbers, of an array or of a document's first two fields. */
export const flatPoint = (value: Value, allowMore = false): Position => {
  const elements = elementsOf(value);
  if (!elements) throw bad(`Point must be an array or object, instead got type ${typeText(value)}`);
  const [x, y] = elements.slice(0, 2).map((element) => numberOf(element));
  if (x === undefined || y === undefined) {
    throw bad('Point must only contain numeric elements, instead got type missing');
  }
  if (!allowMore && elements.length > 2) throw bad('Point must only contain two numeric elements');
  if (!Number.isFinite(x) || !Number.isFinite(y)) throw bad('Point coordinates must be finite numbers');
  return [x, y];
};

const numberOf = (value: Value): number => {
  if (!isNumeric(value)) {
    throw bad(`Point must only contain numeric elements, instead got type ${typeText(value)}`);
  }
  return toNumber(value);
};

export const isOnSphere = ([longitude, latitude]: Position): boolean =>
  longitude >= -180 && longitude <= 180 && latitude >= -90 && latitude <= 90;

export const vectorAt = (position: Position): Vector => toVector(position[0], position[1]);

const coordinate = (value: Value): Position => {
  const position = flatPoint(value, true);
  if (!isOnSphere(position)) {
    throw bad(
      `Longitude/latitude is out of bounds, lng: ${shortNumber(position[0])} lat: ${shortNumber(position[1])}`,
    );
  }
  return position;
};

const coordinates = (value: Value): Position[] => {
  if (!Array.isArray(value)) throw bad('GeoJSON coordinates must be an array of coordinates');
  return value.map(coordinate);
};

const withoutRepetitions = (points: readonly Vector[]): Vector[] =>
  points.filter((point, i) => i === 0 || !samePoint(point, points[i - 1]!));

const line = (value: Value): Shape => {
  const points = withoutRepetitions(coordinates(value).map(vectorAt));
  if (points.length < 2) {
    throw bad(`GeoJSON LineString must have at least 2 vertices: ${formatValue(value)}`);
  }
  return { kind: 'line', points };
};

const ring = (value: Value): Ring => {
  const positions = coordinates(value);
  if (positions.length === 0) throw bad('Loop has no vertices');
  const points = positions.map(vectorAt);
  const shown = formatValue(value);
  if (!samePoint(points[0]!, points.at(-1)!)) {
    throw bad(
      `Loop is not closed, first vertex does not equal last vertex: ${shown} first vertex is: ${formatValue((value as Value[])[0])} last vertex is: ${formatValue((value as Value[]).at(-1))}`,
    );
  }
  const distinct = withoutRepetitions(points).slice(0, -1);
  if (distinct.length < 3) {
    throw bad(
      `Loop must have at least 3 different vertices, ${distinct.length} unique vertices were provided: ${shown}`,
    );
  }
  checkSimple(distinct, shown);
  return new Ring(distinct);
};

const checkSimple = (points: readonly Vector[], shown: string): void => {
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      if (samePoint(points[i]!, points[j]!)) {
        throw bad(`Loop is not valid: ${shown} Duplicate vertices: ${i} and ${j}`);
      }
      const [a, b] = [points[i]!, points[i + 1]!];
      const [c, d] = [points[j]!, points[(j + 1) % points.length]!];
      if (b && arcsCross(a, b, c, d)) {
        throw bad(`Loop is not valid: ${shown} Edges ${i} and ${j} cross.`);
      }
    }
  }
};

const polygon = (value: Value): Shape => {
  if (!Array.isArray(value)) throw bad('Polygon coordinates must be an array');
  const [outer, ...holes] = value.map(ring);
  if (!outer) throw bad('Polygon has no loops.');
  const stray = holes.findIndex(
    (hole) => !hole.points.every((point) => outer.encloses(point) || outer.onEdge(point)),
  );
  if (stray >= 0) {
    throw bad(
      `Secondary loops not contained by first exterior loop - secondary loops must be holes: ${formatValue(value[stray + 1])} first loop: ${formatValue(value[0])}`,
    );
  }
  return { kind: 'polygon', outer, holes };
};

const several =
  (name: string, one: (value: Value) => Shape) =>
  (value: Value): Shape[] => {
    if (!Array.isArray(value)) throw bad(`${name} coordinates must be an array`);
    if (value.length === 0) throw bad(`${name} coordinates must have at least 1 element`);
    return value.map(one);
  };

const point = (value: Value): Shape => ({ kind: 'point', at: vectorAt(coordinate(value)) });

const parsers: Record<string, (coordinates: Value) => readonly Shape[]> = {
  Point: (value) => [point(value)],
  LineString: (value) => [line(value)],
  Polygon: (value) => [polygon(value)],
  MultiPoint: several('MultiPoint', point),
  MultiLineString: several('MultiLineString', line),
  MultiPolygon: several('MultiPolygon', polygon),
};

const crsNames = new Set([
  'urn:ogc:def:crs:OGC:1.3:CRS84',
  'EPSG:4326',
  'urn:x-mongodb:crs:strictwinding:EPSG:4326',
]);

const checkCrs = (object: Doc): void => {
  const { crs } = object;
  if (crs === undefined) return;
  const properties = isDoc(crs) ? crs.properties : undefined;
  const name = isDoc(properties) ? properties.name : undefined;
  if (typeof name !== 'string') throw bad('GeoJSON CRS must be an object with a name');
  if (!crsNames.has(name)) throw bad(`Unknown CRS name: ${name}`);
};

/** A GeoJSON object; BadValue for one that is not valid. */
export const parseGeoJson = (object: Doc): Geometry => {
  const { type } = object;
  if (type === 'GeometryCollection') {
    const members = object.geometries;
    if (!Array.isArray(members)) throw bad('GeometryCollection geometries must be an array');
    if (members.length === 0) throw bad('GeometryCollection geometries must have at least 1 element');
    const shapes = members.flatMap((member, i) => {
      if (!isDoc(member)) throw bad(`Element ${i} of "geometries" is not an object`);
      return parseGeoJson(member).shapes;
    });
    return { flat: undefined, shapes };
  }
  const parse = typeof type === 'string' && Object.hasOwn(parsers, type) ? parsers[type] : undefined;
  if (!parse) throw bad(`unknown GeoJSON type: ${formatValue(object)}`);
  checkCrs(object);
  const shapes = parse(object.coordinates);
  return { flat: type === 'Point' ? flatPoint(object.coordinates, true) : undefined, shapes };
};

export const legacyGeometry = (value: Value, allowMore = false): Geometry => {
  const flat = flatPoint(value, allowMore);
  return { flat, shapes: isOnSphere(flat) ? [{ kind: 'point', at: vectorAt(flat) }] : [] };
};

/** True for `[x, y]` and `{ lng, lat }`; anything else is read as GeoJSON. */
export const looksLegacy = (value: Value): boolean =>
  Array.isArray(value) || (isDoc(value) && isNumeric(Object.values(value)[0]));

/** The place that a stored value is: GeoJSON or a legacy pair. BadValue for anything else. */
export const parseStored = (value: Value): Geometry => {
  if (looksLegacy(value)) return legacyGeometry(value, true);
  if (!isDoc(value)) throw bad(`geo element must be an array or object: ${formatValue(value)}`);
  return parseGeoJson(value);
};

/** As `parseStored`, but undefined for what is no place. */
export const storedGeometry = (value: Value): Geometry | undefined => {
  if (typeof value !== 'object' || value === null || (!Array.isArray(value) && !isDoc(value)))
    return undefined;
  try {
    return parseStored(value);
  } catch (error) {
    if (error instanceof ServerError) return undefined;
    throw error;
  }
};
