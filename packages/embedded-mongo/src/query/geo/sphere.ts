/** A point of the unit sphere. */
export type Vector = readonly [number, number, number];

/** MongoDB's radius of the earth, metres. */
export const EARTH_RADIUS_METERS = 6_378_100;

/** Points closer than this, in radians, count as one: less than a tenth of a millimetre on the ground. */
const TOUCH = 1e-11;
const RADIANS = Math.PI / 180;

export const toVector = (longitude: number, latitude: number): Vector => {
  const height = Math.cos(latitude * RADIANS);
  return [
    height * Math.cos(longitude * RADIANS),
    height * Math.sin(longitude * RADIANS),
    Math.sin(latitude * RADIANS),
  ];
};

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

const length = (a: Vector): number => Math.sqrt(dot(a, a));

const scaled = (a: Vector, by: number): Vector => [a[0] * by, a[1] * by, a[2] * by];

const plus = (a: Vector, b: Vector): Vector => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];

const unit = (a: Vector): Vector => {
  const size = length(a);
  return size === 0 ? a : scaled(a, 1 / size);
};

/** The angle between two points, radians: exact for small and for large ones. */
export const angleBetween = (a: Vector, b: Vector): number => Math.atan2(length(cross(a, b)), dot(a, b));

/** The angle from a point to the nearest point of the arc from `a` to `b`. */
export const angleToArc = (point: Vector, a: Vector, b: Vector): number => {
  const normal = cross(a, b);
  const size = length(normal);
  if (size > 1e-15) {
    const pole = scaled(normal, 1 / size);
    // The foot of the perpendicular lies on the arc when it is between the planes through its ends.
    if (dot(cross(pole, a), point) > 0 && dot(cross(b, pole), point) > 0) {
      return Math.abs(Math.asin(Math.max(-1, Math.min(1, dot(pole, point)))));
    }
  }
  return Math.min(angleBetween(point, a), angleBetween(point, b));
};

const side = (a: Vector, b: Vector, c: Vector): number => {
  const value = dot(cross(a, b), c);
  return Math.abs(value) < 1e-15 ? 0 : Math.sign(value);
};

/** True when two arcs cross at a point that is inside of both. */
export const arcsCross = (a: Vector, b: Vector, c: Vector, d: Vector): boolean => {
  const turn = side(a, c, b);
  return turn !== 0 && side(c, b, d) === turn && side(b, d, a) === turn && side(d, a, c) === turn;
};

/** True when two arcs have a point in common. */
export const arcsMeet = (a: Vector, b: Vector, c: Vector, d: Vector): boolean =>
  arcsCross(a, b, c, d) ||
  angleToArc(a, c, d) < TOUCH ||
  angleToArc(b, c, d) < TOUCH ||
  angleToArc(c, a, b) < TOUCH ||
  angleToArc(d, a, b) < TOUCH;

export const arcTouches = (point: Vector, a: Vector, b: Vector): boolean => angleToArc(point, a, b) < TOUCH;

export const samePoint = (a: Vector, b: Vector): boolean => angleBetween(a, b) < TOUCH;

/** A closed line around an area: the smaller of the two that it divides the sphere into. */
export class Ring {
  private readonly centre: Vector;
  /** All of it lies on one half of the sphere, the one around `centre`. */
  private readonly onOneHalf: boolean;
  private readonly ordered: readonly Vector[];

  /** `points`: without the repetition of the first at the end. */
  constructor(readonly points: readonly Vector[]) {
    this.centre = unit(points.reduce(plus, [0, 0, 0]));
    this.onOneHalf = points.every((point) => dot(point, this.centre) > 1e-9);
    this.ordered = this.onOneHalf || areaToTheLeft(points) <= 2 * Math.PI ? points : [...points].reverse();
  }

  *edges(): Generator<readonly [Vector, Vector]> {
    const { points } = this;
    for (let i = 0; i < points.length; i++) yield [points[i]!, points[(i + 1) % points.length]!];
  }

  onEdge(point: Vector): boolean {
    for (const [a, b] of this.edges()) if (arcTouches(point, a, b)) return true;
    return false;
  }

  /** Whether a point lies inside; one on the edge does not count as inside. */
  encloses(point: Vector): boolean {
    if (this.onEdge(point)) return false;
    if (this.onOneHalf) return dot(point, this.centre) > 0 && this.windsAround(point);
    return this.reachedFromInside(point);
  }

  private windsAround(point: Vector): boolean {
    const east = unit(cross(Math.abs(point[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0], point));
    const north = cross(point, east);
    const direction = (to: Vector) => Math.atan2(dot(to, north), dot(to, east));
    let turned = 0;
    let before = direction(this.points.at(-1)!);
    for (const vertex of this.points) {
      const next = direction(vertex);
      let change = next - before;
      if (change > Math.PI) change -= 2 * Math.PI;
      else if (change < -Math.PI) change += 2 * Math.PI;
      turned += change;
      before = next;
    }
    return Math.abs(turned) > Math.PI;
  }

  /** For large rings: counts the edges on the way from a point just inside an edge. */
  private reachedFromInside(point: Vector): boolean {
    const { ordered } = this;
    for (let i = 0; i < ordered.length; i++) {
      const a = ordered[i]!;
      const b = ordered[(i + 1) % ordered.length]!;
      const inside = unit(plus(unit(plus(a, b)), scaled(unit(cross(a, b)), 1e-7)));
      if (angleBetween(inside, point) > 3) continue;
      let crossings = 0;
      for (const [c, d] of this.edges()) if (arcsCross(inside, point, c, d)) crossings++;
      return crossings % 2 === 0;
    }
    return false;
  }
}

/** The area to the left of a closed line, by the angles at which it turns. */
const areaToTheLeft = (points: readonly Vector[]): number => {
  let turned = 0;
  for (let i = 0; i < points.length; i++) {
    const a = points[i]!;
    const b = points[(i + 1) % points.length]!;
    const c = points[(i + 2) % points.length]!;
    const first = cross(a, b);
    const second = cross(b, c);
    turned += Math.atan2(dot(cross(first, second), b), dot(first, second));
  }
  const area = 2 * Math.PI - turned;
  return area < 0 ? area + 4 * Math.PI : area;
};
