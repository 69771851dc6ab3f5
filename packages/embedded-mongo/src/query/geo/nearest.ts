import type { Doc, Value } from '../../values/bson.js';
import { MISSING, splitPath, visitPath } from '../../values/path.js';
import { storedGeometry } from './geojson.js';
import type { Near } from './near.js';

/** How far a stored value is, when it is a place between the query's distances. */
export const distanceWithin = (near: Near, value: Value): number | undefined => {
  const place = storedGeometry(value);
  const distance = place && near.distance(place);
  return distance !== undefined && distance >= near.min && distance <= near.max ? distance : undefined;
};

/** The nearest place that a path reaches, among those between the query's distances. */
export const nearestPlace = (
  near: Near,
  path: string,
  doc: Doc,
): { distance: number; place: Value } | undefined => {
  let best: { distance: number; place: Value } | undefined;
  visitPath(doc, splitPath(path), true, (value) => {
    const distance = value === MISSING ? undefined : distanceWithin(near, value);
    if (distance !== undefined && (!best || distance < best.distance)) {
      best = { distance, place: value as Value };
    }
    return false;
  });
  return best;
};
