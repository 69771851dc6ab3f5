import { angleBetween, angleToArc, arcsCross, arcsMeet, arcTouches, samePoint } from './sphere.js';
import type { Ring, Vector } from './sphere.js';

/** Longitude and latitude in degrees, or x and y in a plane. */
export type Position = readonly [number, number];

export type Shape =
  | { kind: 'point'; at: Vector }
  | { kind: 'line'; points: readonly Vector[] }
  | { kind: 'polygon'; outer: Ring; holes: readonly Ring[] };

export type Polygon = Extract<Shape, { kind: 'polygon' }>;

/** A stored or asked-for place. */
export interface Geometry {
  /** Where it is in the plane: points only. */
  flat: Position | undefined;
  /** What it is on the sphere; empty for a legacy point that is not a longitude and a latitude. */
  shapes: readonly Shape[];
}

function* edgesOf(shape: Shape): Generator<readonly [Vector, Vector]> {
  if (shape.kind === 'line') {
    for (let i = 1; i < shape.points.length; i++) yield [shape.points[i - 1]!, shape.points[i]!];
  } else if (shape.kind === 'polygon') {
    yield* shape.outer.edges();
    for (const hole of shape.holes) yield* hole.edges();
  }
}

const verticesOf = (shape: Shape): readonly Vector[] => {
  if (shape.kind === 'point') return [shape.at];
  return shape.kind === 'line' ? shape.points : shape.outer.points;
};

/** Whether the polygon holds a point, its edges included. */
export const holds = (polygon: Polygon, point: Vector): boolean =>
  (polygon.outer.encloses(point) || polygon.outer.onEdge(point)) &&
  !polygon.holes.some((hole) => hole.encloses(point));

const crosses = (a: Shape, b: Shape): boolean => {
  for (const [p, q] of edgesOf(a)) for (const [r, s] of edgesOf(b)) if (arcsCross(p, q, r, s)) return true;
  return false;
};

/** Whether all of a shape lies in the polygon. */
export const liesIn = (shape: Shape, polygon: Polygon): boolean => {
  if (!verticesOf(shape).every((vertex) => holds(polygon, vertex))) return false;
  if (shape.kind === 'point') return true;
  if (crosses(shape, polygon)) return false;
  // A hole of the polygon may lie in the middle of the shape, unless the shape leaves it out too.
  return (
    shape.kind !== 'polygon' ||
    !polygon.holes.some((hole) => hole.points.some((point) => strictlyIn(shape, point)))
  );
};

const strictlyIn = (polygon: Polygon, point: Vector): boolean =>
  polygon.outer.encloses(point) && !polygon.holes.some((hole) => hole.encloses(point) || hole.onEdge(point));

const touchesPoint = (point: Vector, shape: Shape): boolean => {
  if (shape.kind === 'point') return samePoint(point, shape.at);
  if (shape.kind === 'polygon') return holds(shape, point);
  for (const [a, b] of edgesOf(shape)) if (arcTouches(point, a, b)) return true;
  return false;
};

/** Whether two shapes have a point in common. */
export const meets = (a: Shape, b: Shape): boolean => {
  if (a.kind === 'point') return touchesPoint(a.at, b);
  if (b.kind === 'point') return touchesPoint(b.at, a);
  if (b.kind === 'polygon' && verticesOf(a).some((vertex) => holds(b, vertex))) return true;
  if (a.kind === 'polygon' && verticesOf(b).some((vertex) => holds(a, vertex))) return true;
  for (const [p, q] of edgesOf(a)) for (const [r, s] of edgesOf(b)) if (arcsMeet(p, q, r, s)) return true;
  return false;
};

/** The angle from a point to the nearest point of a shape, radians. */
export const angleToShape = (point: Vector, shape: Shape): number => {
  if (shape.kind === 'point') return angleBetween(point, shape.at);
  if (shape.kind === 'polygon' && holds(shape, point)) return 0;
  let least = Infinity;
  for (const [a, b] of edgesOf(shape)) least = Math.min(least, angleToArc(point, a, b));
  return least;
};

/** The angle from a point to the farthest vertex of a shape, radians. */
export const angleToFarthest = (point: Vector, shape: Shape): number =>
  Math.max(...verticesOf(shape).map((vertex) => angleBetween(point, vertex)));
