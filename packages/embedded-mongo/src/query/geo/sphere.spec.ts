import { angleBetween, angleToArc, arcsCross, EARTH_RADIUS_METERS, Ring, toVector } from './sphere.js';

const ring = (...corners: [number, number][]): Ring => new Ring(corners.map(([x, y]) => toVector(x, y)));
const degrees = (radians: number): number => (radians * 180) / Math.PI;

describe('on the sphere', () => {
  it('measures along great circles', () => {
    expect(degrees(angleBetween(toVector(0, 0), toVector(90, 0)))).toBeCloseTo(90, 12);
    const tiny = angleBetween(toVector(10, 50), toVector(10, 50 + 1e-9)) * EARTH_RADIUS_METERS;
    expect(tiny).toBeCloseTo(0.0001113, 6);
    expect(degrees(angleToArc(toVector(5, 3), toVector(0, 0), toVector(10, 0)))).toBeCloseTo(3, 10);
    expect(degrees(angleToArc(toVector(15, 0), toVector(0, 0), toVector(10, 0)))).toBeCloseTo(5, 10);
  });

  it('finds crossings, also over the date line, but none on the far side', () => {
    const at = toVector;
    expect(arcsCross(at(-1, 0), at(1, 0), at(0, -1), at(0, 1))).toBe(true);
    expect(arcsCross(at(179, 0), at(-179, 0), at(180, -1), at(180, 1))).toBe(true);
    expect(arcsCross(at(-1, 0), at(1, 0), at(180, -1), at(180, 1))).toBe(false);
    expect(arcsCross(at(-1, 0), at(1, 0), at(1, 0), at(1, 1))).toBe(false);
  });

  it.each<[string, Ring, [number, number], [number, number]]>([
    ['a square', ring([0, 0], [10, 0], [10, 10], [0, 10]), [5, 5], [-175, -5]],
    ['one drawn clockwise', ring([0, 0], [0, 10], [10, 10], [10, 0]), [5, 5], [5, 11]],
    ['one over the date line', ring([170, -5], [-170, -5], [-170, 5], [170, 5]), [180, 0], [0, 0]],
    ['one around a pole', ring([0, 80], [90, 80], [180, 80], [-90, 80]), [33, 89], [33, 70]],
    [
      'one larger than half of what is in sight',
      ring([-80, -85], [80, -85], [80, 85], [-80, 85]),
      [0, 0],
      [179, 0],
    ],
  ])('knows inside from outside of %s', (_name, area, inside, outside) => {
    expect(area.encloses(toVector(...inside))).toBe(true);
    expect(area.encloses(toVector(...outside))).toBe(false);
  });

  it('tells the edge from both', () => {
    const square = ring([0, 0], [10, 0], [10, 10], [0, 10]);
    expect(square.onEdge(toVector(5, 0))).toBe(true);
    expect(square.encloses(toVector(5, 0))).toBe(false);
    expect(square.onEdge(toVector(5, 0.001))).toBe(false);
  });
});
