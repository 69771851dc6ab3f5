import { double, isDoc, isNumeric, newDoc, toNumber } from './types.js';
import type { Doc, Value } from './types.js';

/** What a query knows of a document beyond its fields: what `{ $meta: … }` reads. */
export interface DocMeta {
  textScore?: number;
  geoNearDistance?: number;
  geoNearPoint?: Value;
  recordId?: number;
  indexKey?: Doc;
  sortKey?: Value[];
}

const META: unique symbol = Symbol('meta');

type WithMeta = Doc & { [META]?: DocMeta };

/** Neither encoding nor comparing documents sees it. */
export const metaOf = (doc: Doc): DocMeta | undefined => (doc as WithMeta)[META];

export const setMeta = (doc: Doc, meta: DocMeta): void => {
  (doc as WithMeta)[META] = meta;
};

/** Hands the metadata of a document on to the one that was made of it. */
export const carryMeta = (from: Doc, to: Doc): Doc => {
  const meta = metaOf(from);
  if (meta && from !== to) setMeta(to, meta);
  return to;
};

/** Metadata on its way from the engine to a pipeline. */
export const encodedMeta = (meta: DocMeta | undefined): Doc => {
  const doc = newDoc();
  if (meta?.textScore !== undefined) doc.textScore = double(meta.textScore);
  if (meta?.geoNearDistance !== undefined) doc.geoNearDistance = double(meta.geoNearDistance);
  if (meta?.geoNearPoint !== undefined) doc.geoNearPoint = meta.geoNearPoint;
  return doc;
};

/** Takes the metadata out of a document that `FindSpec.withMeta` asked for. */
export const takeMeta = (doc: Doc): Doc => {
  const { $metadata: given } = doc;
  delete doc.$metadata;
  if (!isDoc(given)) return doc;
  const { textScore, geoNearDistance, geoNearPoint } = given;
  setMeta(doc, {
    ...(isNumeric(textScore) && { textScore: toNumber(textScore) }),
    ...(isNumeric(geoNearDistance) && { geoNearDistance: toNumber(geoNearDistance) }),
    ...(geoNearPoint !== undefined && { geoNearPoint }),
  });
  return doc;
};
